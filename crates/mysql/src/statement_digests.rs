//! Reads digests of running statements.
//!
//! MySQL computes a digest at the start of a statement (seen on 9.7.4), MariaDB at its end (10.11.19).

use std::collections::HashMap;

use clew_model::{Failure, Limitation, LimitationKind};

use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::statements;

/// Row of `events_statements_current`: thread, event, digest.
type StatementRow = (u64, u64, Option<Vec<u8>>);

/// Consumers required for digests, each after the consumer that it depends on.
const REQUIRED_CONSUMERS: [&str; 4] =
    ["global_instrumentation", "thread_instrumentation", "events_statements_current", "statements_digest"];

/// Reads digests by thread. Appends limitations for unreadable data.
/// For nested statements, as in a procedure, the innermost counts, as in the process list.
pub(crate) async fn read_digests(
    connection: &mut Connection,
    unreadable: Option<&Limitation>,
    limitations: &mut Vec<Limitation>,
) -> Result<HashMap<u64, Vec<u8>>, Failure> {
    if connection.flavor == Flavor::MariaDb {
        limitations.push(no_digests("MariaDB makes a statement's digest when the statement ends.".to_owned(), None));
        return Ok(HashMap::new());
    }
    if let Some(gap) = unreadable {
        limitations.push(no_digests(gap.why.clone(), gap.remedy.clone()));
        return Ok(HashMap::new());
    }
    let rows: Vec<StatementRow> =
        connection.query_all(statements::RUNNING_DIGESTS).await.map_err(|error| connection.to_failure(&error))?;
    let on: Vec<String> =
        connection.query_all(statements::ENABLED_CONSUMERS).await.map_err(|error| connection.to_failure(&error))?;
    let off: Vec<&str> = REQUIRED_CONSUMERS.into_iter().filter(|name| !on.iter().any(|on| on == name)).collect();
    if !off.is_empty() {
        limitations.push(consumers_off(&off));
    }
    let mut found: HashMap<u64, RunningStatement> = HashMap::new();
    for (thread, event, digest) in rows {
        let running = found.entry(thread).or_default();
        running.statements += 1;
        if event >= running.innermost {
            running.innermost = event;
            running.digest = digest;
        }
    }
    if found.values().any(|running| running.statements > 1 && running.digest.is_none()) {
        limitations.push(no_digests("MySQL makes none of a statement that a stored program runs.".to_owned(), None));
    }
    Ok(found.into_iter().filter_map(|(thread, running)| Some((thread, running.digest?))).collect())
}

/// Statements that run in a thread.
#[derive(Default)]
struct RunningStatement {
    statements: usize,
    /// Event id of the innermost statement, which began last.
    innermost: u64,
    digest: Option<Vec<u8>>,
}

fn consumers_off(off: &[&str]) -> Limitation {
    let names = off.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    no_digests(
        "The server does not keep what each session runs with its digest.".to_owned(),
        Some(format!("UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name IN ({names});")),
    )
}

fn no_digests(why: String, remedy: Option<String>) -> Limitation {
    Limitation {
        kind: LimitationKind::NoStatementDigests,
        what: "Digests of running statements, or of some of them, cannot be read.".to_owned(),
        why,
        remedy,
    }
}
