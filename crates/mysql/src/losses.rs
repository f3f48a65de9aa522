//! What performance_schema lost because its tables are too small. It counts each loss since the server was started, and says nothing more: what was
//! lost may have ended since. A table of size 0 records nothing and counts nothing.

use std::collections::HashMap;

use crate::client::Error;
use clew_model::{Failure, Limitation, LimitationKind};

use crate::connection::Connection;
use crate::{failure, statements};

/// A counter of what was lost, and the setting that is too small.
struct Loss {
    counter: &'static str,
    size: &'static str,
    kind: LimitationKind,
    /// What is lost.
    lost: &'static str,
    /// What that means for the reader.
    effect: &'static str,
}

/// All counters that matter for what Clew reads.
static LOSSES: [Loss; 6] = [
    Loss {
        counter: "Performance_schema_metadata_lock_lost",
        size: "performance_schema_max_metadata_locks",
        kind: LimitationKind::LostMetadataLocks,
        lost: "metadata locks",
        effect: "Metadata locks are missing: the blocker of some waits is unknown.",
    },
    Loss {
        counter: "Performance_schema_thread_instances_lost",
        size: "performance_schema_max_thread_instances",
        kind: LimitationKind::LostThreads,
        lost: "threads",
        effect: "Sessions are missing in performance_schema: their locks, statements, ages and programs are not known.",
    },
    Loss {
        counter: "Performance_schema_thread_classes_lost",
        size: "performance_schema_max_thread_classes",
        kind: LimitationKind::LostThreads,
        lost: "kinds of threads",
        effect: "Sessions are missing in performance_schema: their locks, statements, ages and programs are not known.",
    },
    Loss {
        counter: "Performance_schema_statement_classes_lost",
        size: "performance_schema_max_statement_classes",
        kind: LimitationKind::LostStatements,
        lost: "kinds of statements",
        effect: "Some kinds of statements are not recorded: their digests and ages are not known.",
    },
    Loss {
        counter: "Performance_schema_nested_statement_lost",
        size: "performance_schema_max_statement_stack",
        kind: LimitationKind::LostStatements,
        lost: "nested statements",
        effect: "Statements deep inside stored programs are not recorded: their digests and ages are not known.",
    },
    Loss {
        counter: "Performance_schema_session_connect_attrs_lost",
        size: "performance_schema_session_connect_attrs_size",
        kind: LimitationKind::LostConnectAttributes,
        lost: "connections' attributes",
        effect: "Names of some programs are missing or incomplete.",
    },
];

/// Everything that the server lost. Nothing where it does not count losses.
pub(crate) async fn read(connection: &mut Connection) -> Result<Vec<Limitation>, Failure> {
    let counters = named_values(connection, statements::LOST).await?;
    let sizes = named_values(connection, statements::RECORDED).await?;
    Ok(LOSSES.iter().filter_map(|loss| loss.limitation(&counters, &sizes)).collect())
}

/// The same of threads alone, for sessions that have none.
pub(crate) async fn read_of_threads(connection: &mut Connection) -> Result<Vec<Limitation>, Failure> {
    let mut losses = read(connection).await?;
    losses.retain(|loss| loss.kind == LimitationKind::LostThreads);
    Ok(losses)
}

/// Numbers by name, in lower case.
type Values = HashMap<String, i64>;

async fn named_values(connection: &mut Connection, statement: &str) -> Result<Values, Failure> {
    let rows: Vec<(String, String)> = match connection.ask(statement).await {
        Ok(rows) => rows,
        Err(Error::Server(error)) if !failure::took_too_long(&error) => Vec::new(),
        Err(error) => return Err(connection.failed(&error)),
    };
    Ok(rows.into_iter().filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.parse().ok()?))).collect())
}

impl Loss {
    fn limitation(&self, counters: &Values, sizes: &Values) -> Option<Limitation> {
        let lost = counters.get(&self.counter.to_ascii_lowercase()).copied().unwrap_or(0);
        let size = sizes.get(self.size).copied();
        let why = match (lost, size) {
            (_, Some(0)) => format!("The server records no {}: {} is 0.", self.lost, self.size),
            (..=0, _) => return None,
            (_, Some(size)) => {
                format!(
                    "The server lost {lost} {} since it was started: {} is {size}, which is too small.",
                    self.lost, self.size
                )
            }
            (_, None) => format!("The server lost {lost} {} since it was started.", self.lost),
        };
        Some(Limitation {
            kind: self.kind,
            what: self.effect.to_owned(),
            why,
            remedy: Some(format!(
                "a larger {} (-1: as large as needed), in the server's configuration file",
                self.size
            )),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_tables_without_room_are_named() {
        let values = |values: &[(&str, i64)]| values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let loss = &LOSSES[0];
        for (lost, size, expected) in [
            (0, 10, None),
            (
                4596,
                10,
                Some(
                    "The server lost 4596 metadata locks since it was started: performance_schema_max_metadata_locks is 10, which is too small.",
                ),
            ),
            (0, 0, Some("The server records no metadata locks: performance_schema_max_metadata_locks is 0.")),
            (0, -1, None),
        ] {
            let counters: Values = values(&[("performance_schema_metadata_lock_lost", lost)]);
            let sizes: Values = values(&[("performance_schema_max_metadata_locks", size)]);
            assert_eq!(loss.limitation(&counters, &sizes).map(|gap| gap.why).as_deref(), expected, "{lost} {size}");
        }
        assert_eq!(loss.limitation(&Values::new(), &Values::new()), None, "an older server");
    }
}
