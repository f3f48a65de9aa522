//! Determines whether a node's behavior or an injected fault caused a failed collection.
//! If neither the node nor an injected fault explains a failed collection, the test run reports a violation.

use crate::fault::{Fault, FaultEvent};
use crate::nodes::NodeKind;
use crate::task_rows::TaskRow;

/// A fault can explain failures of collections created up to `FAULT_ATTRIBUTION_WINDOW_MILLIS` after the fault ended.
/// The attribution window is longer than any S3 request, database query or task lease can last.
const FAULT_ATTRIBUTION_WINDOW_MILLIS: i64 = 60_000;

const REQUEST_TIME_TOO_SKEWED_CODE: &str = "RequestTimeTooSkewed";
const DISK_FULL_MESSAGE: &str = "No space left on device";

pub(crate) fn describe_unexplained_failure(row: &TaskRow, node: NodeKind, events: &[FaultEvent]) -> Option<String> {
    let kind = row.failure_kind.as_deref().unwrap_or_default();
    let detail = row.failure_detail.as_deref().unwrap_or_default();
    let is_explained = match node {
        NodeKind::ClosesConnections if matches!(kind, "connection-lost" | "unreachable") => true,
        NodeKind::Unreachable if kind == "unreachable" => true,
        _ => events.iter().any(|event| {
            fault_overlaps_collection(event, row) && fault_explains_failure(event.fault, kind, detail, row)
        }),
    };
    (!is_explained).then(|| format!("unexplained failure of {node:?} ({kind}: {detail})"))
}

pub(crate) fn format_failure_label(row: &TaskRow) -> String {
    let detail = row.failure_detail.as_deref().unwrap_or_default();
    let kind = row.failure_kind.as_deref().unwrap_or_default();
    let known_parts = [REQUEST_TIME_TOO_SKEWED_CODE, DISK_FULL_MESSAGE, "could not look up", "s3://"];
    let found = known_parts.into_iter().find(|part| detail.contains(part));
    found.map_or_else(|| kind.to_owned(), |part| format!("{kind}, {part}"))
}

fn fault_overlaps_collection(event: &FaultEvent, row: &TaskRow) -> bool {
    let ended = row.ended_at.unwrap_or(i64::MAX);
    event.begin <= ended && event.end.saturating_add(FAULT_ATTRIBUTION_WINDOW_MILLIS) >= row.created_at
}

fn fault_explains_failure(fault: Fault, kind: &str, detail: &str, row: &TaskRow) -> bool {
    let is_metadata_failure = kind == "store-failed" && detail.starts_with("could not look up ");
    let is_result_failure = kind == "store-failed" && detail.contains("s3://");
    let is_repeatedly_lost = kind == "gave-up" && row.attempts > 5;
    match fault {
        Fault::Kill => is_repeatedly_lost,
        Fault::PostgresRestart | Fault::PostgresPause | Fault::NetworkPartition => {
            is_metadata_failure || is_repeatedly_lost
        }
        Fault::S3Stop | Fault::S3Slow => is_result_failure,
        Fault::ClockShift => is_result_failure && detail.contains(REQUEST_TIME_TOO_SKEWED_CODE),
        Fault::DiskFull => kind == "store-failed" && detail.contains(DISK_FULL_MESSAGE),
    }
}
