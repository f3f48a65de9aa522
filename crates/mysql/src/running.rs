//! Digests of the statements that sessions run. MySQL has them from the start of each (seen on 9.7.4), MariaDB from its end (10.11.19).

use std::collections::HashMap;

use clew_model::{Failure, Limitation, LimitationKind};

use crate::connection::Connection;
use crate::server::Flavor;
use crate::statements;

/// A row of `events_statements_current`: thread, event, digest.
type StatementRow = (u64, u64, Option<Vec<u8>>);

/// Consumers that a digest takes, in the order in which one needs the other.
const CONSUMERS: [&str; 4] =
    ["global_instrumentation", "thread_instrumentation", "events_statements_current", "statements_digest"];

/// Digests by thread. Of statements in each other, as in a procedure, the inner one counts, which the process list shows too. What cannot be read is added to `limitations`.
pub(crate) async fn read_digests(
    connection: &mut Connection,
    unreadable: Option<&Limitation>,
    limitations: &mut Vec<Limitation>,
) -> Result<HashMap<u64, Vec<u8>>, Failure> {
    if connection.flavor == Flavor::MariaDb {
        limitations.push(hidden("MariaDB makes a statement's digest when the statement ends.".to_owned(), None));
        return Ok(HashMap::new());
    }
    if let Some(gap) = unreadable {
        limitations.push(hidden(gap.why.clone(), gap.remedy.clone()));
        return Ok(HashMap::new());
    }
    let rows: Vec<StatementRow> =
        connection.ask(statements::RUNNING_DIGESTS).await.map_err(|error| connection.failed(&error))?;
    let on: Vec<String> = connection.ask(statements::CONSUMERS_ON).await.map_err(|error| connection.failed(&error))?;
    let off: Vec<&str> = CONSUMERS.into_iter().filter(|name| !on.iter().any(|on| on == name)).collect();
    if !off.is_empty() {
        limitations.push(consumers_off(&off));
    }
    let mut found: HashMap<u64, Running> = HashMap::new();
    for (thread, event, digest) in rows {
        let running = found.entry(thread).or_default();
        running.statements += 1;
        if event >= running.innermost {
            running.innermost = event;
            running.digest = digest;
        }
    }
    if found.values().any(|running| running.statements > 1 && running.digest.is_none()) {
        limitations.push(hidden("MySQL makes none of a statement that a stored program runs.".to_owned(), None));
    }
    Ok(found.into_iter().filter_map(|(thread, running)| Some((thread, running.digest?))).collect())
}

/// What runs in a thread.
#[derive(Default)]
struct Running {
    statements: usize,
    /// The innermost statement: the event that began last.
    innermost: u64,
    digest: Option<Vec<u8>>,
}

fn consumers_off(off: &[&str]) -> Limitation {
    let names = off.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    hidden(
        "The server does not keep what each session runs with its digest.".to_owned(),
        Some(format!("UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name IN ({names});")),
    )
}

fn hidden(why: String, remedy: Option<String>) -> Limitation {
    Limitation {
        kind: LimitationKind::NoStatementDigests,
        what: "Digests of running statements, or of some of them, cannot be read.".to_owned(),
        why,
        remedy,
    }
}
