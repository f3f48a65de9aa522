//! Detects objects, such as threads, that performance_schema did not record because a table was full.
//!
//! The server counts all unrecorded objects since its start, including objects that no longer exist.
//! If a performance_schema table has size 0, the server neither stores objects in the table nor counts unrecorded ones.

use std::collections::HashMap;

use crate::client::Error;
use clew_model::{Failure, Limitation, LimitationKind};

use crate::connection::Connection;
use crate::{failure, statements};

struct LostObjectCounter {
    counter: &'static str,
    size: &'static str,
    kind: LimitationKind,
    /// Plural name of the performance_schema objects that `counter` counts, such as `metadata locks`.
    objects: &'static str,
    /// Effect on Clew's data if performance_schema did not record some of these objects.
    effect: &'static str,
}

static LOST_OBJECT_COUNTERS: [LostObjectCounter; 6] = [
    LostObjectCounter {
        counter: "Performance_schema_metadata_lock_lost",
        size: "performance_schema_max_metadata_locks",
        kind: LimitationKind::LostMetadataLocks,
        objects: "metadata locks",
        effect: "Metadata locks are missing, so the blockers of some waits are unknown.",
    },
    LostObjectCounter {
        counter: "Performance_schema_thread_instances_lost",
        size: "performance_schema_max_thread_instances",
        kind: LimitationKind::LostThreads,
        objects: "threads",
        effect: "Sessions are missing in performance_schema, so their locks, statements, durations and program names are unknown.",
    },
    LostObjectCounter {
        counter: "Performance_schema_thread_classes_lost",
        size: "performance_schema_max_thread_classes",
        kind: LimitationKind::LostThreads,
        objects: "thread classes",
        effect: "Sessions are missing in performance_schema, so their locks, statements, durations and program names are unknown.",
    },
    LostObjectCounter {
        counter: "Performance_schema_statement_classes_lost",
        size: "performance_schema_max_statement_classes",
        kind: LimitationKind::LostStatements,
        objects: "statement classes",
        effect: "Some statement types are not recorded, so their digests and durations are unknown.",
    },
    LostObjectCounter {
        counter: "Performance_schema_nested_statement_lost",
        size: "performance_schema_max_statement_stack",
        kind: LimitationKind::LostStatements,
        objects: "nested statements",
        effect: "Deeply nested statements of stored programs are not recorded, so their digests and durations are unknown.",
    },
    LostObjectCounter {
        counter: "Performance_schema_session_connect_attrs_lost",
        size: "performance_schema_session_connect_attrs_size",
        kind: LimitationKind::LostConnectAttributes,
        objects: "connection attributes",
        effect: "Some program names are missing or truncated.",
    },
];

/// Returns one `Limitation` for each kind of object that performance_schema did not record completely.
pub(crate) async fn detect_lost_instrumentation(connection: &mut Connection) -> Result<Vec<Limitation>, Failure> {
    let counters = read_numeric_variables(connection, statements::LOST_OBJECT_COUNTERS_QUERY).await?;
    let sizes = read_numeric_variables(connection, statements::PERFORMANCE_SCHEMA_SIZES_QUERY).await?;
    Ok(LOST_OBJECT_COUNTERS.iter().filter_map(|loss| loss.limitation_for_lost_objects(&counters, &sizes)).collect())
}

/// If performance_schema did not record a thread, process lists read from performance_schema omit the thread's session.
pub(crate) async fn detect_lost_threads(connection: &mut Connection) -> Result<Vec<Limitation>, Failure> {
    let mut losses = detect_lost_instrumentation(connection).await?;
    losses.retain(|loss| loss.kind == LimitationKind::LostThreads);
    Ok(losses)
}

/// Numeric values of server variables, keyed by lower-case variable name.
type NamedValues = HashMap<String, i64>;

async fn read_numeric_variables(connection: &mut Connection, statement: &str) -> Result<NamedValues, Failure> {
    let rows: Vec<(String, String)> = match connection.query_all(statement).await {
        Ok(rows) => rows,
        Err(Error::Server(error)) if !failure::is_server_timeout(&error) => Vec::new(),
        Err(error) => return Err(connection.to_failure(&error)),
    };
    Ok(rows.into_iter().filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.parse().ok()?))).collect())
}

impl LostObjectCounter {
    fn limitation_for_lost_objects(&self, counters: &NamedValues, sizes: &NamedValues) -> Option<Limitation> {
        let lost = counters.get(&self.counter.to_ascii_lowercase()).copied().unwrap_or(0);
        let size = sizes.get(self.size).copied();
        let why = match (lost, size) {
            (_, Some(0)) => format!("The server records no {}, because {} is 0.", self.objects, self.size),
            (..=0, _) => return None,
            (_, Some(size)) => {
                format!(
                    "The server lost {lost} {} since its start, because {} is {size}, which is too small.",
                    self.objects, self.size
                )
            }
            (_, None) => format!("The server lost {lost} {} since its start.", self.objects),
        };
        Some(Limitation {
            kind: self.kind,
            what: self.effect.to_owned(),
            why,
            remedy: Some(format!("Increase {} in the server's configuration file (-1: automatic size)", self.size)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_empty_tables_are_limitations() {
        let values = |values: &[(&str, i64)]| values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let loss = &LOST_OBJECT_COUNTERS[0];
        for (lost, size, expected) in [
            (0, 10, None),
            (
                4596,
                10,
                Some(
                    "The server lost 4596 metadata locks since its start, because performance_schema_max_metadata_locks is 10, which is too small.",
                ),
            ),
            (0, 0, Some("The server records no metadata locks, because performance_schema_max_metadata_locks is 0.")),
            (0, -1, None),
        ] {
            let counters: NamedValues = values(&[("performance_schema_metadata_lock_lost", lost)]);
            let sizes: NamedValues = values(&[("performance_schema_max_metadata_locks", size)]);
            assert_eq!(
                loss.limitation_for_lost_objects(&counters, &sizes).map(|gap| gap.why).as_deref(),
                expected,
                "{lost} {size}"
            );
        }
        assert_eq!(loss.limitation_for_lost_objects(&NamedValues::new(), &NamedValues::new()), None, "an older server");
    }
}
