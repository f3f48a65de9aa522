//! Whether a reason is true: what is said of a node is so, or a fault was there that does what is said.

use crate::diary::Event;
use crate::fault::Fault;
use crate::nodes::Kind;
use crate::witness::Row;

/// After a fault its effects go on for so long: a question to S3 with all its tries, an answer of the database, a lease. In milliseconds.
const AFTER: i64 = 60_000;

/// What S3 says to somebody whose clock is wrong.
const SKEWED: &str = "RequestTimeTooSkewed";
/// What the system says of a full disk.
const FULL: &str = "No space left on device";

/// Nothing where the reason of a failed collection is true; else what is wrong with it.
pub(crate) fn why_untrue(row: &Row, node: Kind, events: &[Event]) -> Option<String> {
    let kind = row.failure_kind.as_deref().unwrap_or_default();
    let detail = row.failure_detail.as_deref().unwrap_or_default();
    let is_true = match node {
        Kind::HangsUp if matches!(kind, "connection-lost" | "unreachable") => true,
        Kind::Gone if kind == "unreachable" => true,
        _ => events.iter().any(|event| was_there(event, row) && explains(event.fault, kind, detail, row)),
    };
    (!is_true).then(|| format!("it ended with an untrue reason ({kind}: {detail}), of {node:?}"))
}

/// Reasons in few words, for a count of them.
pub(crate) fn title(row: &Row) -> String {
    let detail = row.failure_detail.as_deref().unwrap_or_default();
    let kind = row.failure_kind.as_deref().unwrap_or_default();
    let of = [SKEWED, FULL, "could not look up", "s3://"].into_iter().find(|part| detail.contains(part));
    of.map_or_else(|| kind.to_owned(), |part| format!("{kind}, {part}"))
}

fn was_there(event: &Event, row: &Row) -> bool {
    let ended = row.ended_at.unwrap_or(i64::MAX);
    event.begin <= ended && event.end.saturating_add(AFTER) >= row.created_at
}

fn explains(fault: Fault, kind: &str, detail: &str, row: &Row) -> bool {
    let of_metadata = kind == "store-failed" && detail.starts_with("could not look up ");
    let of_results = kind == "store-failed" && detail.contains("s3://");
    let often_lost = kind == "gave-up" && row.attempts > 5;
    match fault {
        Fault::Kill => often_lost,
        Fault::MetadataRestart | Fault::MetadataPause | Fault::Cut => of_metadata || often_lost,
        Fault::ResultsStop | Fault::ResultsSlow => of_results,
        Fault::Clock => of_results && detail.contains(SKEWED),
        Fault::DiskFull => kind == "store-failed" && detail.contains(FULL),
    }
}
