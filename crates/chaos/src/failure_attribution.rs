//! Attributes failed collections to causes. The kind of the node or an injected fault must explain each failure.

use crate::db_trace::TaskRow;
use crate::fault::Fault;
use crate::nodes::NodeKind;
use crate::timeline::FaultEvent;

/// Milliseconds after the end of a fault during which failures are attributed to the fault.
/// The window is long enough for an S3 request with all retries, a database response and a lease.
const ATTRIBUTION_WINDOW_MILLIS: i64 = 60_000;

/// S3 error code for a request from a client whose clock is wrong.
const CLOCK_SKEW_ERROR: &str = "RequestTimeTooSkewed";
/// Error message of the operating system for a full disk.
const DISK_FULL_MESSAGE: &str = "No space left on device";

/// Returns a violation if neither the kind of the node nor a fault explains the failure of a collection.
pub(crate) fn find_unexplained_failure(row: &TaskRow, node: NodeKind, events: &[FaultEvent]) -> Option<String> {
    let kind = row.failure_kind.as_deref().unwrap_or_default();
    let detail = row.failure_detail.as_deref().unwrap_or_default();
    let is_explained = match node {
        NodeKind::ClosesConnections if matches!(kind, "connection-lost" | "unreachable") => true,
        NodeKind::Unreachable if kind == "unreachable" => true,
        _ => events
            .iter()
            .any(|event| overlaps_collection(event, row) && explains_failure(event.fault, kind, detail, row)),
    };
    (!is_explained).then(|| format!("unexplained failure of {node:?} ({kind}: {detail})"))
}

/// Returns a short label for a failure. The report counts failures by label.
pub(crate) fn format_failure_label(row: &TaskRow) -> String {
    let detail = row.failure_detail.as_deref().unwrap_or_default();
    let kind = row.failure_kind.as_deref().unwrap_or_default();
    let known_parts = [CLOCK_SKEW_ERROR, DISK_FULL_MESSAGE, "could not look up", "s3://"];
    let found = known_parts.into_iter().find(|part| detail.contains(part));
    found.map_or_else(|| kind.to_owned(), |part| format!("{kind}, {part}"))
}

/// Returns true if the fault and its attribution window overlap the collection in time.
fn overlaps_collection(event: &FaultEvent, row: &TaskRow) -> bool {
    let ended = row.ended_at.unwrap_or(i64::MAX);
    event.begin <= ended && event.end.saturating_add(ATTRIBUTION_WINDOW_MILLIS) >= row.created_at
}

/// Returns true if the fault can cause a failure of this kind with this detail.
fn explains_failure(fault: Fault, kind: &str, detail: &str, row: &TaskRow) -> bool {
    let is_metadata_failure = kind == "store-failed" && detail.starts_with("could not look up ");
    let is_result_failure = kind == "store-failed" && detail.contains("s3://");
    let is_repeatedly_lost = kind == "gave-up" && row.attempts > 5;
    match fault {
        Fault::Kill => is_repeatedly_lost,
        Fault::PostgresRestart | Fault::PostgresPause | Fault::NetworkPartition => {
            is_metadata_failure || is_repeatedly_lost
        }
        Fault::S3Stop | Fault::S3Slow => is_result_failure,
        Fault::ClockShift => is_result_failure && detail.contains(CLOCK_SKEW_ERROR),
        Fault::DiskFull => kind == "store-failed" && detail.contains(DISK_FULL_MESSAGE),
    }
}
