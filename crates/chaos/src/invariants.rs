//! Checks the collections that were requested during a fault injection run for invariant violations.

use std::collections::{BTreeMap, HashMap, HashSet};

use clew_client::CollectionStatus;

use crate::failure_attribution::describe_unexplained_failure;
use crate::fault::FaultEvent;
use crate::nodes::NodeKind;
use crate::task_rows::TaskRow;
use crate::workload::{
    CollectionRecord, DownloadedResult, RequestRecord, format_invariant_violation, iter_accepted_collection_requests,
};

pub(crate) struct InvariantCheckInput<'a> {
    pub(crate) requests: &'a [RequestRecord],
    pub(crate) rows: &'a [TaskRow],
    /// Results that were downloaded again after the workload, or the download errors, keyed by collection id.
    pub(crate) downloads: &'a HashMap<String, Result<DownloadedResult, String>>,
    pub(crate) events: &'a [FaultEvent],
    pub(crate) logged_completion_counts: &'a HashMap<String, usize>,
}

pub(crate) fn find_invariant_violations(evidence: &InvariantCheckInput<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    let rows: HashMap<&str, &TaskRow> = evidence.rows.iter().map(|row| (row.request_id.as_str(), row)).collect();
    for (_, record) in iter_accepted_collection_requests(evidence.requests) {
        let id = &record.accepted.id;
        violations.extend(record.violations.iter().map(|violation| format_invariant_violation(id, violation)));
        match rows.get(id.as_str()) {
            None => violations.push(format_invariant_violation(id, "it was accepted and is lost")),
            Some(row) => {
                let found = find_violations_in_collection_record(record, row, evidence);
                violations.extend(found.into_iter().map(|violation| format_invariant_violation(id, &violation)));
            }
        }
    }
    for row in evidence.rows {
        let logged = evidence.logged_completion_counts.get(&row.request_id).copied().unwrap_or_default();
        let found = find_violations_in_task_row(row, logged);
        violations.extend(found.into_iter().map(|violation| format!("{}: {violation}", row.request_id)));
    }
    violations.extend(find_results_with_multiple_owners(evidence.rows));
    violations
}

fn find_violations_in_collection_record(
    record: &CollectionRecord,
    row: &TaskRow,
    evidence: &InvariantCheckInput<'_>,
) -> Vec<String> {
    let mut violations = Vec::new();
    let kind = record.accepted.node.kind;
    let status = match row.status.as_str() {
        "finished" => Some(CollectionStatus::Finished),
        "error" => Some(CollectionStatus::Error),
        _ => None,
    };
    if record.status != status {
        violations.push(format!("the client received status {:?}, the database has {}", record.status, row.status));
    }
    if status == Some(CollectionStatus::Error) {
        violations.extend(describe_unexplained_failure(row, kind, evidence.events));
        if record.reason.as_ref().is_none_or(String::is_empty) {
            violations.push("the client received no failure reason".to_owned());
        }
    }
    if status == Some(CollectionStatus::Finished) {
        match &record.result {
            None => violations.push("it is finished, but the download failed".to_owned()),
            Some(download) => violations.extend(find_violations_in_downloaded_result(download, row, kind)),
        }
        match evidence.downloads.get(&row.request_id) {
            None => violations.push("the second download is missing".to_owned()),
            Some(Err(error)) => violations.push(format!("the second download failed: {error}")),
            Some(Ok(download)) => violations.extend(find_violations_in_downloaded_result(download, row, kind)),
        }
    }
    violations
}

fn find_violations_in_downloaded_result(download: &DownloadedResult, row: &TaskRow, node: NodeKind) -> Vec<String> {
    let mut violations = Vec::new();
    let recorded = row.result_sha256.as_deref().unwrap_or_default();
    if download.sha256 != recorded || download.etag_sha256 != recorded {
        violations.push(format!(
            "the hash of the download is {}, of the ETag {}, of the recorded result {recorded}",
            download.sha256, download.etag_sha256
        ));
    }
    let recorded = (row.result_rows.map(i64::unsigned_abs), row.result_bytes.map(i64::unsigned_abs));
    if recorded != (Some(download.rows), Some(download.bytes)) {
        violations.push(format!(
            "the download has {} rows and {} bytes, the recorded result {recorded:?}",
            download.rows, download.bytes
        ));
    }
    if !node.is_valid_row_count(download.rows) {
        violations.push(format!("a result of {node:?} cannot have {} rows", download.rows));
    }
    violations
}

fn find_violations_in_task_row(row: &TaskRow, logged_completions: usize) -> Vec<String> {
    let mut violations = Vec::new();
    if row.ended_at.is_none() {
        violations.push(format!("it is still {} after {} attempts", row.status, row.attempts));
    } else if row.completions != 1 {
        violations.push(format!("the database recorded {} completions", row.completions));
    }
    if logged_completions > 1 {
        violations.push(format!("the workers logged {logged_completions} completions"));
    }
    if let Some(name) = &row.result_name
        && !name.starts_with(&format!("{}.{}.", row.request_id, row.fence))
    {
        violations.push(format!("the last lease holder (fence {}) did not write the result {name}", row.fence));
    }
    violations
}

fn find_results_with_multiple_owners(rows: &[TaskRow]) -> Vec<String> {
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows {
        if let Some(name) = &row.result_name {
            owners.entry(name).or_default().push(&row.request_id);
        }
    }
    let shared = owners.into_iter().filter(|(_, owners)| owners.len() > 1);
    shared.map(|(name, owners)| format!("the result {name} belongs to {}", owners.join(" and "))).collect()
}

pub(crate) fn find_orphaned_objects<'a>(objects: &'a [String], rows: &[TaskRow]) -> Vec<&'a str> {
    let referenced: HashSet<&str> = rows.iter().filter_map(|row| row.result_name.as_deref()).collect();
    objects.iter().map(String::as_str).filter(|object| !referenced.contains(object)).collect()
}

#[cfg(test)]
mod tests {
    use clew_client::RequestId;

    use super::*;
    use crate::fault::Fault;
    use crate::nodes::{AcceptedCollectionRequest, RegisteredNode};
    use crate::workload::RequestOutcome;

    const ID: &str = "a-request";
    const HASH: &str = "a-hash";

    /// Valid observations of one collection. Each test modifies them.
    struct Fixture {
        record: CollectionRecord,
        row: TaskRow,
        second_download: Result<DownloadedResult, String>,
        events: Vec<FaultEvent>,
        logged_completions: usize,
    }

    fn download() -> DownloadedResult {
        DownloadedResult { sha256: HASH.into(), etag_sha256: HASH.into(), rows: 20, bytes: 400 }
    }

    fn fixture() -> Fixture {
        let ids = ("0123456789abcdef0123456789abcdefin07", "0123456789abcdef0123456789abcdefno07");
        let node =
            RegisteredNode { kind: NodeKind::Fake(20), instance: ids.0.parse().unwrap(), id: ids.1.parse().unwrap() };
        let accepted = AcceptedCollectionRequest { id: RequestId::from(ID), node };
        let status = Some(CollectionStatus::Finished);
        Fixture {
            record: CollectionRecord {
                accepted,
                status,
                reason: None,
                result: Some(download()),
                violations: Vec::new(),
            },
            row: TaskRow {
                request_id: ID.into(),
                status: "finished".into(),
                fence: 2,
                attempts: 2,
                failure_kind: None,
                failure_detail: None,
                result_name: Some(format!("{ID}.2.0123.csv")),
                result_rows: Some(20),
                result_bytes: Some(400),
                result_sha256: Some(HASH.into()),
                created_at: 1_000,
                ended_at: Some(2_000),
                completions: 1,
            },
            second_download: Ok(download()),
            events: Vec::new(),
            logged_completions: 1,
        }
    }

    fn violations_of(modify: impl FnOnce(&mut Fixture)) -> String {
        let mut fixture = fixture();
        modify(&mut fixture);
        let Fixture { record, row, second_download, events, logged_completions } = fixture;
        let requests = [RequestRecord { fault_index: 0, outcome: RequestOutcome::Accepted(Box::new(record)) }];
        let evidence = InvariantCheckInput {
            requests: &requests,
            rows: &[row],
            downloads: &HashMap::from([(ID.to_owned(), second_download)]),
            events: &events,
            logged_completion_counts: &HashMap::from([(ID.to_owned(), logged_completions)]),
        };
        find_invariant_violations(&evidence).join("\n")
    }

    fn set_failed(fixture: &mut Fixture, kind: &str, detail: &str) {
        fixture.row.status = "error".into();
        fixture.row.result_name = None;
        (fixture.row.failure_kind, fixture.row.failure_detail) = (Some(kind.into()), Some(detail.into()));
        fixture.record.status = Some(CollectionStatus::Error);
        fixture.record.reason = Some(detail.into());
    }

    #[test]
    fn successful_collection_has_no_violation() {
        assert_eq!(violations_of(|_| {}), "");
        let unlogged = violations_of(|fixture| fixture.logged_completions = 0);
        assert_eq!(unlogged, "", "a worker that is killed after the completion does not log it");
    }

    #[test]
    fn each_violation_is_detected() {
        for (expected, modify) in [
            ("is lost", (|fixture| fixture.row.request_id = "another".into()) as fn(&mut Fixture)),
            ("still finished", |fixture| fixture.row.ended_at = None),
            ("recorded 2 completions", |fixture| fixture.row.completions = 2),
            ("logged 2 completions", |fixture| fixture.logged_completions = 2),
            ("did not write the result", |fixture| fixture.row.fence = 3),
            ("did not write the result", |fixture| fixture.row.result_name = Some("another.2.0.csv".into())),
            ("the client received status", |fixture| fixture.record.status = Some(CollectionStatus::Error)),
            ("the download failed", |fixture| fixture.record.result = None),
            ("the second download failed: aborted", |fixture| fixture.second_download = Err("aborted".into())),
            ("the hash", |fixture| fixture.second_download.as_mut().unwrap().sha256 = "another".into()),
            ("the hash", |fixture| fixture.row.result_sha256 = Some("another".into())),
            ("19 rows", |fixture| fixture.record.result.as_mut().unwrap().rows = 19),
            ("cannot have", |fixture| fixture.record.accepted.node.kind = NodeKind::Unreachable),
            ("x", |fixture| fixture.record.violations.push("x".into())),
        ] {
            let found = violations_of(modify);
            assert!(found.contains(expected), "{expected}: {found}");
        }
        let rows = [fixture().row, TaskRow { request_id: "another".into(), ..fixture().row }];
        assert!(find_results_with_multiple_owners(&rows).concat().contains("belongs to a-request and another"));
        let objects = ["an-orphan.1.0.csv".to_owned(), format!("{ID}.2.0123.csv")];
        assert_eq!(find_orphaned_objects(&objects, &rows), ["an-orphan.1.0.csv"]);
    }

    #[test]
    fn failure_requires_a_matching_node_or_a_matching_fault() {
        const DISK_FULL: &str = "could not write the result: No space left on device (os error 28)";
        let disk_full = |begin| FaultEvent { fault: Fault::DiskFull, begin, end: begin + 10 };
        assert!(violations_of(|fixture| set_failed(fixture, "store-failed", DISK_FULL)).contains("unexplained"));
        let during_fault = |fixture: &mut Fixture| {
            set_failed(fixture, "store-failed", DISK_FULL);
            fixture.events.push(disk_full(1_500));
        };
        assert_eq!(violations_of(during_fault), "");
        let before_fault = |fixture: &mut Fixture| {
            set_failed(fixture, "store-failed", DISK_FULL);
            fixture.events.push(disk_full(2_500));
        };
        assert!(violations_of(before_fault).contains("unexplained"));
        let other_failure = |fixture: &mut Fixture| {
            set_failed(fixture, "timed-out", "no response within 10 s");
            fixture.events.push(disk_full(1_500));
        };
        assert!(violations_of(other_failure).contains("unexplained"));
        let unreachable_node = |fixture: &mut Fixture| {
            set_failed(fixture, "unreachable", "connection refused");
            fixture.record.accepted.node.kind = NodeKind::Unreachable;
        };
        assert_eq!(violations_of(unreachable_node), "");
        let reachable_node = |fixture: &mut Fixture| set_failed(fixture, "unreachable", "connection refused");
        assert!(violations_of(reachable_node).contains("unexplained"));
    }
}
