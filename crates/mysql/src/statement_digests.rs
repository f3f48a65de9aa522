//! Reads the statement digests of running statements.
//!
//! MySQL 9.7.4 computes the digest of a statement when the statement starts.
//! MariaDB computes a statement's digest when the statement ends (observed on 10.11.19).

use std::collections::HashMap;

use clew_model::{Failure, Limitation};

use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::{limitations, sql_statements};

/// Row of `events_statements_current`: thread id, event id, and statement digest.
type StatementRow = (u64, u64, Option<Vec<u8>>);

/// `performance_schema` consumers that the server requires to record statement digests.
/// In the array, each consumer comes after the performance_schema consumers on which it depends.
const CONSUMERS_REQUIRED_FOR_DIGESTS: [&str; 4] =
    ["global_instrumentation", "thread_instrumentation", "events_statements_current", "statements_digest"];

/// Returns the digests of the running statements by thread id.
/// Adds notes to `limitations` if the account cannot read digests or the server does not record digests.
/// If a thread runs nested statements, as in a stored procedure, Clew uses the digest of the innermost statement.
pub(crate) async fn read_statement_digests(
    connection: &mut Connection,
    unreadable: Option<&Limitation>,
    limitations: &mut Vec<Limitation>,
) -> Result<HashMap<u64, Vec<u8>>, Failure> {
    if connection.flavor == Flavor::MariaDb {
        limitations.push(limitations::describe_missing_statement_digests());
        return Ok(HashMap::new());
    }
    if let Some(gap) = unreadable {
        limitations.push(limitations::replace_cause_and_remedy(limitations::describe_missing_statement_digests(), gap));
        return Ok(HashMap::new());
    }
    let rows: Vec<StatementRow> = connection.read_rows(sql_statements::RUNNING_STATEMENT_DIGESTS_QUERY).await?;
    let on: Vec<String> = connection.read_rows(sql_statements::ENABLED_SETUP_CONSUMERS_QUERY).await?;
    let off: Vec<&str> =
        CONSUMERS_REQUIRED_FOR_DIGESTS.into_iter().filter(|name| !on.iter().any(|on| on == name)).collect();
    if !off.is_empty() {
        limitations.push(limitations::describe_disabled_digest_consumers(&off));
    }
    let mut found: HashMap<u64, InnermostRunningStatement> = HashMap::new();
    for (thread, event, digest) in rows {
        let running = found.entry(thread).or_default();
        running.statements += 1;
        if event >= running.innermost {
            running.innermost = event;
            running.digest = digest;
        }
    }
    if found.values().any(|running| running.statements > 1 && running.digest.is_none()) {
        limitations.push(limitations::describe_missing_stored_program_digests());
    }
    Ok(found.into_iter().filter_map(|(thread, running)| Some((thread, running.digest?))).collect())
}

/// Innermost running statement of a thread. A thread runs nested statements while it executes a stored procedure.
#[derive(Default)]
struct InnermostRunningStatement {
    statements: usize,
    /// Event id of the innermost running statement, which has the highest event id of the thread.
    innermost: u64,
    digest: Option<Vec<u8>>,
}
