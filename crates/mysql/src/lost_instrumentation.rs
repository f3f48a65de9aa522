//! Detects objects, such as threads, that performance_schema did not record because one of its tables was full.
//!
//! The `Performance_schema_%_lost` counters may be too high, because they also count objects that no longer exist.
//! If a performance_schema table is configured with size 0, the server does not count the objects that the table omits.

use std::collections::HashMap;

use clew_model::{Failure, Limitation, LimitationKind, LocalizedText, localized};

use crate::connection::Connection;
use crate::sql_statements;

struct LostInstrumentationCounter {
    counter: &'static str,
    size: &'static str,
    kind: LimitationKind,
    /// English and Chinese names of the objects that `counter` counts, such as `metadata locks`.
    objects: LocalizedText,
    /// Sentence that describes the missing data if performance_schema did not record all objects.
    effect: LocalizedText,
}

/// Builds an array of `LostInstrumentationCounter` values. Each input line lists the five field values of one element.
macro_rules! counters {
    ($($counter:literal, $size:literal, $kind:ident, $objects:expr, $effect:expr;)+) => {
        [$(LostInstrumentationCounter {
            counter: $counter,
            size: $size,
            kind: LimitationKind::$kind,
            objects: $objects,
            effect: $effect,
        }),+]
    };
}

const fn text(english: &'static str, chinese: &'static str) -> LocalizedText {
    LocalizedText::from_static(english, chinese)
}

const UNINSTRUMENTED_SESSIONS_DESCRIPTION: LocalizedText = text(
    "Sessions are missing in performance_schema, so their locks, statements, durations and program names are unknown.",
    "performance_schema中缺少部分会话，因此这些会话的锁、SQL语句、时长和客户端程序未知。",
);

static LOST_INSTRUMENTATION_COUNTERS: [LostInstrumentationCounter; 6] = counters! {
    "Performance_schema_metadata_lock_lost", "performance_schema_max_metadata_locks", LostMetadataLocks,
        text("metadata locks", "元数据锁"),
        text("Metadata locks are missing, so the blockers of some waits are unknown.", "缺少部分元数据锁，因此部分锁等待的阻塞会话未知。");
    "Performance_schema_thread_instances_lost", "performance_schema_max_thread_instances", LostThreads,
        text("threads", "线程"), UNINSTRUMENTED_SESSIONS_DESCRIPTION;
    "Performance_schema_thread_classes_lost", "performance_schema_max_thread_classes", LostThreads,
        text("thread classes", "线程类型"), UNINSTRUMENTED_SESSIONS_DESCRIPTION;
    "Performance_schema_statement_classes_lost", "performance_schema_max_statement_classes", LostStatements,
        text("statement classes", "语句类型"),
        text("Some statement types are not recorded, so their digests and durations are unknown.", "部分类型的语句未被记录，因此其SQL指纹和时长未知。");
    "Performance_schema_nested_statement_lost", "performance_schema_max_statement_stack", LostStatements,
        text("nested statements", "嵌套语句"),
        text(
            "Deeply nested statements of stored programs are not recorded, so their digests and durations are unknown.",
            "存储程序中嵌套过深的语句未被记录，因此其SQL指纹和时长未知。"
        );
    "Performance_schema_session_connect_attrs_lost", "performance_schema_session_connect_attrs_size", LostConnectAttributes,
        text("connection attributes", "连接属性"),
        text("Some program names are missing or truncated.", "部分客户端程序缺失或被截断。");
};

/// Returns a `Limitation` for each object type, such as threads, that `performance_schema` did not record completely.
pub(crate) async fn detect_lost_instrumentation(connection: &mut Connection) -> Result<Vec<Limitation>, Failure> {
    let counters = read_numeric_variables(connection, sql_statements::LOST_INSTRUMENTATION_COUNTERS_QUERY).await?;
    let sizes = read_numeric_variables(connection, sql_statements::PERFORMANCE_SCHEMA_VARIABLES_QUERY).await?;
    Ok(LOST_INSTRUMENTATION_COUNTERS
        .iter()
        .filter_map(|loss| loss.describe_lost_instrumentation(&counters, &sizes))
        .collect())
}

/// The process list in performance_schema omits sessions whose threads performance_schema did not record.
pub(crate) async fn detect_lost_thread_instrumentation(
    connection: &mut Connection,
) -> Result<Vec<Limitation>, Failure> {
    let mut losses = detect_lost_instrumentation(connection).await?;
    losses.retain(|loss| loss.kind == LimitationKind::LostThreads);
    Ok(losses)
}

/// Maps lowercase names of server variables to their numeric values.
type NamedValues = HashMap<String, i64>;

async fn read_numeric_variables(connection: &mut Connection, statement: &str) -> Result<NamedValues, Failure> {
    let rows: Vec<(String, String)> = connection.read_rows_ignoring_server_errors(statement).await?;
    Ok(rows.into_iter().filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.parse().ok()?))).collect())
}

impl LostInstrumentationCounter {
    fn describe_lost_instrumentation(&self, counters: &NamedValues, sizes: &NamedValues) -> Option<Limitation> {
        let lost = counters.get(&self.counter.to_ascii_lowercase()).copied().unwrap_or(0);
        let size = sizes.get(self.size).copied();
        let Self { size: name, objects, .. } = self;
        let LocalizedText { english, chinese } = objects;
        let why = match (lost, size) {
            (_, Some(0)) => localized!(
                "The server records no {english}, because {name} is 0.",
                "服务器未记录{chinese}，因为{name}为0。"
            ),
            (..=0, _) => return None,
            (_, Some(size)) => localized!(
                "The server lost {lost} {english} since its start, because {name} is {size}, which is too small.",
                "自启动以来，服务器丢失了 {lost} 个{chinese}，因为{name}为{size}，该值过小。"
            ),
            (_, None) => localized!(
                "The server lost {lost} {english} since its start.",
                "自启动以来，服务器丢失了 {lost} 个{chinese}。"
            ),
        };
        Some(Limitation {
            kind: self.kind,
            what: self.effect.clone(),
            why,
            remedy: Some(localized!(
                "Increase {name} in the server's configuration file (-1: automatic size)",
                "在数据库配置文件中调大{name}（-1表示自动设置）"
            )),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_empty_tables_are_limitations() {
        let values = |values: &[(&str, i64)]| values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let loss = &LOST_INSTRUMENTATION_COUNTERS[0];
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
                loss.describe_lost_instrumentation(&counters, &sizes).map(|gap| gap.why.to_string()).as_deref(),
                expected,
                "{lost} {size}"
            );
        }
        assert_eq!(
            loss.describe_lost_instrumentation(&NamedValues::new(), &NamedValues::new()),
            None,
            "an older server"
        );
    }

    #[test]
    fn limitations_of_lost_objects_are_translated() {
        for loss in &LOST_INSTRUMENTATION_COUNTERS {
            let counters = NamedValues::from([(loss.counter.to_ascii_lowercase(), 7)]);
            for size in [None, Some(0), Some(10)] {
                let sizes = size.map(|size| (loss.size.to_owned(), size)).into_iter().collect();
                let limitation = loss.describe_lost_instrumentation(&counters, &sizes).unwrap();
                let texts = [Some(&limitation.what), Some(&limitation.why), limitation.remedy.as_ref()];
                assert!(texts.into_iter().flatten().all(LocalizedText::is_translated), "{limitation:?}");
            }
        }
    }
}
