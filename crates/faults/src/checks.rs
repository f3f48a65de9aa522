//! The promises, each checked on all that was asked for.

use std::collections::{BTreeMap, HashMap, HashSet};

use clew_client::CollectionStatus;

use crate::diary::Event;
use crate::load::{Asked, Received, Seen, named, seen};
use crate::nodes::Kind;
use crate::reasons;
use crate::witness::Row;

/// Everything that is known at the end.
pub(crate) struct Evidence<'a> {
    pub(crate) asked: &'a [Asked],
    pub(crate) rows: &'a [Row],
    /// Each finished one, downloaded at the end; an error is what it said.
    pub(crate) downloads: &'a HashMap<String, Result<Received, String>>,
    pub(crate) events: &'a [Event],
    /// How often workers said that they ended it.
    pub(crate) ends_logged: &'a HashMap<String, usize>,
}

/// What is promised of each collection. A broken promise is a sentence.
pub(crate) fn broken(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let rows: HashMap<&str, &Row> = evidence.rows.iter().map(|row| (row.request_id.as_str(), row)).collect();
    for (_, seen) in seen(evidence.asked) {
        let id = &seen.accepted.id;
        broken.extend(seen.wrong.iter().map(|wrong| named(id, wrong)));
        match rows.get(id.as_str()) {
            None => broken.push(named(id, "it was accepted, and is lost")),
            Some(row) => {
                broken.extend(of_what_was_seen(seen, row, evidence).into_iter().map(|what| named(id, &what)));
            }
        }
    }
    for row in evidence.rows {
        let logged = evidence.ends_logged.get(&row.request_id).copied().unwrap_or_default();
        broken.extend(of_the_row(row, logged).into_iter().map(|what| format!("{}: {what}", row.request_id)));
    }
    broken.extend(shared_results(evidence.rows));
    broken
}

/// What the client saw against what the database has.
fn of_what_was_seen(seen: &Seen, row: &Row, evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let kind = seen.accepted.node.kind;
    let status = match row.status.as_str() {
        "finished" => Some(CollectionStatus::Finished),
        "error" => Some(CollectionStatus::Error),
        _ => None,
    };
    if seen.status != status {
        broken.push(format!("the client saw {:?}, the database has {}", seen.status, row.status));
    }
    if status == Some(CollectionStatus::Error) {
        broken.extend(reasons::why_untrue(row, kind, evidence.events));
        if seen.reason.as_ref().is_none_or(String::is_empty) {
            broken.push("the client was told no reason".to_owned());
        }
    }
    if status == Some(CollectionStatus::Finished) {
        match &seen.result {
            None => broken.push("it finished, and could not be downloaded".to_owned()),
            Some(received) => broken.extend(of_a_download(received, row, kind)),
        }
        match evidence.downloads.get(&row.request_id) {
            None => broken.push("it was not downloaded again".to_owned()),
            Some(Err(error)) => broken.push(format!("it could not be downloaded again: {error}")),
            Some(Ok(received)) => broken.extend(of_a_download(received, row, kind)),
        }
    }
    broken
}

/// It is whole, and what was recorded.
fn of_a_download(received: &Received, row: &Row, node: Kind) -> Vec<String> {
    let mut broken = Vec::new();
    let recorded = row.result_sha256.as_deref().unwrap_or_default();
    if received.sha256 != recorded || received.told_sha256 != recorded {
        broken.push(format!(
            "what was downloaded has the hash {}, the server told {}, and {recorded} was recorded",
            received.sha256, received.told_sha256
        ));
    }
    let recorded = (row.result_rows.map(i64::unsigned_abs), row.result_bytes.map(i64::unsigned_abs));
    if recorded != (Some(received.rows), Some(received.bytes)) {
        broken.push(format!("{} rows of {} bytes came, recorded is {recorded:?}", received.rows, received.bytes));
    }
    if !node.may_have(received.rows) {
        broken.push(format!("{} rows cannot be of {node:?}", received.rows));
    }
    broken
}

/// It ended, once, by who held it last.
fn of_the_row(row: &Row, logged: usize) -> Vec<String> {
    let mut broken = Vec::new();
    if row.ended_at.is_none() {
        broken.push(format!("it is still {} after {} attempts", row.status, row.attempts));
    } else if row.ends != 1 {
        broken.push(format!("it came to an end {} times", row.ends));
    }
    if logged > 1 {
        broken.push(format!("workers say {logged} times that they ended it"));
    }
    if let Some(name) = &row.result_name
        && !name.starts_with(&format!("{}.{}.", row.request_id, row.fence))
    {
        broken.push(format!("its result {name} was not written by its last holder, whose fence is {}", row.fence));
    }
    broken
}

/// No result belongs to two.
fn shared_results(rows: &[Row]) -> Vec<String> {
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows {
        if let Some(name) = &row.result_name {
            owners.entry(name).or_default().push(&row.request_id);
        }
    }
    let shared = owners.into_iter().filter(|(_, owners)| owners.len() > 1);
    shared.map(|(name, owners)| format!("the result {name} belongs to {}", owners.join(" and "))).collect()
}

/// Objects that no row names.
pub(crate) fn orphans<'a>(objects: &'a [String], rows: &[Row]) -> Vec<&'a str> {
    let named: HashSet<&str> = rows.iter().filter_map(|row| row.result_name.as_deref()).collect();
    objects.iter().map(String::as_str).filter(|object| !named.contains(object)).collect()
}

#[cfg(test)]
mod tests {
    use clew_client::RequestId;

    use super::*;
    use crate::diary::Event;
    use crate::fault::Fault;
    use crate::load::Answer;
    use crate::nodes::{Accepted, Node};

    const ID: &str = "a-request";
    const HASH: &str = "a-hash";

    /// A collection that went as promised, for a test to spoil.
    struct Story {
        seen: Seen,
        row: Row,
        again: Result<Received, String>,
        events: Vec<Event>,
        logged: usize,
    }

    fn received() -> Received {
        Received { sha256: HASH.into(), told_sha256: HASH.into(), rows: 20, bytes: 400 }
    }

    fn story() -> Story {
        let ids = ("0123456789abcdef0123456789abcdefin07", "0123456789abcdef0123456789abcdefno07");
        let node = Node { kind: Kind::Fake(20), instance: ids.0.parse().unwrap(), id: ids.1.parse().unwrap() };
        let accepted = Accepted { id: RequestId::from(ID), node };
        let status = Some(CollectionStatus::Finished);
        Story {
            seen: Seen { accepted, status, reason: None, result: Some(received()), wrong: Vec::new() },
            row: Row {
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
                ends: 1,
            },
            again: Ok(received()),
            events: Vec::new(),
            logged: 1,
        }
    }

    /// What is found once a story was spoilt.
    fn found(spoil: impl FnOnce(&mut Story)) -> String {
        let mut story = story();
        spoil(&mut story);
        let Story { seen, row, again, events, logged } = story;
        let asked = [Asked { phase: 0, answer: Answer::Accepted(Box::new(seen)) }];
        let evidence = Evidence {
            asked: &asked,
            rows: &[row],
            downloads: &HashMap::from([(ID.to_owned(), again)]),
            events: &events,
            ends_logged: &HashMap::from([(ID.to_owned(), logged)]),
        };
        broken(&evidence).join("\n")
    }

    fn failed(story: &mut Story, kind: &str, detail: &str) {
        story.row.status = "error".into();
        story.row.result_name = None;
        (story.row.failure_kind, story.row.failure_detail) = (Some(kind.into()), Some(detail.into()));
        story.seen.status = Some(CollectionStatus::Error);
        story.seen.reason = Some(detail.into());
    }

    #[test]
    fn a_collection_that_went_as_promised_is_none() {
        assert_eq!(found(|_| {}), "");
        assert_eq!(found(|story| story.logged = 0), "", "who is killed after the end says nothing of it");
    }

    #[test]
    fn each_broken_promise_is_found() {
        for (expected, spoil) in [
            ("is lost", (|story| story.row.request_id = "another".into()) as fn(&mut Story)),
            ("still finished", |story| story.row.ended_at = None),
            ("end 2 times", |story| story.row.ends = 2),
            ("say 2 times", |story| story.logged = 2),
            ("not written by its last holder", |story| story.row.fence = 3),
            ("not written by its last holder", |story| story.row.result_name = Some("another.2.0.csv".into())),
            ("the client saw", |story| story.seen.status = Some(CollectionStatus::Error)),
            ("could not be downloaded", |story| story.seen.result = None),
            ("could not be downloaded again: it broke off", |story| story.again = Err("it broke off".into())),
            ("has the hash", |story| story.again.as_mut().unwrap().sha256 = "another".into()),
            ("has the hash", |story| story.row.result_sha256 = Some("another".into())),
            ("19 rows", |story| story.seen.result.as_mut().unwrap().rows = 19),
            ("cannot be of", |story| story.seen.accepted.node.kind = Kind::Gone),
            ("x", |story| story.seen.wrong.push("x".into())),
        ] {
            let found = found(spoil);
            assert!(found.contains(expected), "{expected}: {found}");
        }
        let rows = [story().row, Row { request_id: "another".into(), ..story().row }];
        assert!(shared_results(&rows).concat().contains("belongs to a-request and another"));
        let objects = ["an-orphan.1.0.csv".to_owned(), format!("{ID}.2.0123.csv")];
        assert_eq!(orphans(&objects, &rows), ["an-orphan.1.0.csv"]);
    }

    #[test]
    fn a_reason_is_true_only_of_a_node_that_is_so_or_while_a_fault_is_there() {
        const FULL: &str = "could not write the result: No space left on device (os error 28)";
        let full = |begin| Event { fault: Fault::DiskFull, begin, end: begin + 10 };
        assert!(found(|story| failed(story, "store-failed", FULL)).contains("untrue"));
        let while_full = |story: &mut Story| {
            failed(story, "store-failed", FULL);
            story.events.push(full(1_500));
        };
        assert_eq!(found(while_full), "");
        let later = |story: &mut Story| {
            failed(story, "store-failed", FULL);
            story.events.push(full(2_500));
        };
        assert!(found(later).contains("untrue"));
        let of_another = |story: &mut Story| {
            failed(story, "timed-out", "no answer within 10 s");
            story.events.push(full(1_500));
        };
        assert!(found(of_another).contains("untrue"));
        let gone = |story: &mut Story| {
            failed(story, "unreachable", "connection refused");
            story.seen.accepted.node.kind = Kind::Gone;
        };
        assert_eq!(found(gone), "");
        assert!(found(|story| failed(story, "unreachable", "connection refused")).contains("untrue"));
    }
}
