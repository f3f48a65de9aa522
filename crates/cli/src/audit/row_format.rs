//! Formats audit rows as a table, JSON or CSV. JSON and CSV use the field names of the HTTP API.

use clew_model::{Actor, AuditEvent};
use clew_store::AuditRecord;
use serde_json::{Value, json};

use crate::text_table::ListFormat;
use crate::time;

pub(super) const AUDIT_LIST_FORMAT: ListFormat<AuditRecord, 8> = ListFormat {
    json_key: "rows",
    headings: ["ROW", "TIME", "ACTOR", "PEER", "OPERATION", "TARGET", "OUTCOME", "CODE"],
    empty_message: "No rows.",
    to_row: |AuditRecord { seq, at, event, .. }| {
        [
            seq.to_string(),
            time::format_unix_millis(*at),
            event.origin.actor.to_string(),
            event.origin.peer.map_or_else(String::new, |peer| peer.to_string()),
            format_audited_operation(event),
            event.target.clone(),
            event.outcome.name().to_owned(),
            event.code.clone().unwrap_or_default(),
        ]
    },
    to_json: audit_row_to_json,
};

/// An audit row can represent several denied requests.
fn format_audited_operation(event: &AuditEvent) -> String {
    match event.detail.get("repeated").and_then(Value::as_u64) {
        Some(repeated) => format!("{} ×{repeated}", event.operation),
        None => event.operation.clone(),
    }
}

pub(super) fn audit_row_to_json(AuditRecord { seq, at, event, link }: &AuditRecord) -> Value {
    let actor = &event.origin.actor;
    json!({
        "seq": seq,
        "at": time::format_unix_millis(*at),
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

pub(super) const AUDIT_CSV_HEADER: &str = "seq,at,actor_kind,actor,actor_id,peer,request_id,operation,domain_id,\
     project_id,instance_id,node_id,target,outcome,code,detail,link";

/// Escapes spreadsheet formulas with a leading quote.
/// Audit rows can contain untrusted text, because unauthenticated clients can send arbitrary user names.
pub(super) fn audit_row_to_csv(record: &AuditRecord) -> Vec<String> {
    let value = audit_row_to_json(record);
    let field = |name: &str| match value.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    AUDIT_CSV_HEADER.split(',').map(field).collect()
}

fn actor_id(actor: &Actor) -> Option<&str> {
    match actor {
        Actor::User { id, .. } => Some(id.as_str()),
        Actor::Local { .. } | Actor::Clew | Actor::Anonymous { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use clew_model::AuditOrigin;

    use super::*;

    fn record(actor: Actor) -> AuditRecord {
        let origin = AuditOrigin { actor, peer: Some("192.0.2.7".parse().unwrap()), request_id: "r1".into() };
        AuditRecord {
            seq: 7,
            at: 1_500,
            event: AuditEvent::for_successful_operation(&origin, "CreateToken", "=HYPERLINK(1)"),
            link: "c0de".into(),
        }
    }

    #[test]
    fn csv_fields_match_json_and_formulas_are_escaped() {
        let record = record(Actor::Anonymous { claimed: "@SUM(A1)".into() });
        let value = audit_row_to_json(&record);
        let names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut header: Vec<&str> = AUDIT_CSV_HEADER.split(',').collect();
        header.sort_unstable();
        assert_eq!(names, header, "JSON objects are sorted");
        let fields = audit_row_to_csv(&record);
        assert_eq!((fields[3].as_str(), fields[12].as_str()), ("'@SUM(A1)", "'=HYPERLINK(1)"));
        assert_eq!((fields[0].as_str(), fields[5].as_str(), fields[13].as_str()), ("7", "192.0.2.7", "done"));
    }

    #[test]
    fn repeated_refusals_are_counted_in_the_table() {
        let mut record = record(Actor::Clew);
        assert!(!AUDIT_LIST_FORMAT.render_table(std::slice::from_ref(&record)).contains('×'));
        record.event.detail = json!({ "repeated": 999 });
        assert!(AUDIT_LIST_FORMAT.render_table(&[record]).contains("CreateToken ×999"));
    }

    #[test]
    fn control_sequences_in_a_claimed_name_are_neutralised() {
        let text =
            AUDIT_LIST_FORMAT.render_table(&[record(Actor::Anonymous { claimed: "\u{1b}]0;x\u{7}\nadmin".into() })]);
        assert!(!text.contains('\u{1b}') && text.lines().count() == 2, "{text:?}");
    }
}
