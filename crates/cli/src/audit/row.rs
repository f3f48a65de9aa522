//! A row of the audit for eyes and for scripts; the names are those of the API.

use clew_model::{Actor, AuditEvent};
use clew_store::AuditRecord;
use serde_json::{Value, json};

use crate::listing;
use crate::moments;

/// A line per row.
pub(super) fn list(rows: &[AuditRecord]) -> String {
    let row = |AuditRecord { seq, at, event, .. }: &AuditRecord| {
        [
            seq.to_string(),
            moments::milliseconds(*at),
            event.origin.actor.to_string(),
            event.origin.peer.map_or_else(String::new, |peer| peer.to_string()),
            operation(event),
            event.target.clone(),
            event.outcome.name().to_owned(),
            event.code.clone().unwrap_or_default(),
        ]
    };
    let headings = ["ROW", "TIME", "WHO", "FROM", "OPERATION", "TARGET", "OUTCOME", "CODE"];
    listing::list(headings, rows.iter().map(row).collect(), "No rows.")
}

/// The operation, with the number of requests where the row counts several refused ones.
fn operation(event: &AuditEvent) -> String {
    match event.detail.get("repeated").and_then(Value::as_u64) {
        Some(repeated) => format!("{} ×{repeated}", event.operation),
        None => event.operation.clone(),
    }
}

/// A row for scripts.
pub(super) fn value(AuditRecord { seq, at, event, link }: &AuditRecord) -> Value {
    let actor = &event.origin.actor;
    json!({
        "seq": seq,
        "at": moments::milliseconds(*at),
        "actor_kind": actor.kind(),
        "actor": actor.name(),
        "actor_id": actor_id(actor),
        "peer": event.origin.peer,
        "request_id": event.origin.request_id,
        "operation": event.operation,
        "domain_id": event.domain_id,
        "project_id": event.project_id,
        "instance_id": event.instance_id,
        "node_id": event.node_id,
        "target": event.target,
        "outcome": event.outcome,
        "code": event.code,
        "detail": event.detail,
        "link": link,
    })
}

/// Names of the fields of a CSV row.
pub(super) const CSV_HEADER: [&str; 17] = [
    "seq",
    "at",
    "actor_kind",
    "actor",
    "actor_id",
    "peer",
    "request_id",
    "operation",
    "domain_id",
    "project_id",
    "instance_id",
    "node_id",
    "target",
    "outcome",
    "code",
    "detail",
    "link",
];

/// The fields of a CSV row. Text that a spreadsheet would take for a formula gets a leading `'`: names can be chosen by people
/// who never signed in.
pub(super) fn csv(record: &AuditRecord) -> Vec<String> {
    let value = value(record);
    let field = |name: &&str| match value.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    CSV_HEADER.iter().map(field).collect()
}

fn actor_id(actor: &Actor) -> Option<&str> {
    match actor {
        Actor::User { id, .. } => Some(id.as_str()),
        Actor::Local { .. } | Actor::Clew | Actor::Nobody { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use clew_model::Origin;

    use super::*;

    fn record(actor: Actor) -> AuditRecord {
        let origin = Origin { actor, peer: Some("192.0.2.7".parse().unwrap()), request_id: "r1".into() };
        AuditRecord {
            seq: 7,
            at: 1_500,
            event: AuditEvent::done(&origin, "CreateToken", "=HYPERLINK(1)"),
            link: "c0de".into(),
        }
    }

    #[test]
    fn csv_fields_are_those_of_the_json_and_no_formulas() {
        let record = record(Actor::Nobody { claimed: "@SUM(A1)".into() });
        let value = value(&record);
        let names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut header = CSV_HEADER;
        header.sort_unstable();
        assert_eq!(names, header, "JSON objects are sorted");
        let fields = csv(&record);
        assert_eq!((fields[3].as_str(), fields[12].as_str()), ("'@SUM(A1)", "'=HYPERLINK(1)"));
        assert_eq!((fields[0].as_str(), fields[5].as_str(), fields[13].as_str()), ("7", "192.0.2.7", "done"));
    }

    #[test]
    fn rows_that_count_refusals_show_how_many() {
        let mut record = record(Actor::Clew);
        assert!(!list(std::slice::from_ref(&record)).contains('×'));
        record.event.detail = json!({ "repeated": 999 });
        assert!(list(&[record]).contains("CreateToken ×999"));
    }

    #[test]
    fn a_claimed_name_cannot_drive_the_terminal() {
        let text = list(&[record(Actor::Nobody { claimed: "\u{1b}]0;x\u{7}\nadmin".into() })]);
        assert!(!text.contains('\u{1b}') && text.lines().count() == 2, "{text:?}");
    }
}
