//! Wire format of audit rows.

use clew_model::Actor;
use clew_store::AuditRecord;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Row of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditRow {
    /// Position in the audit log
    seq: i64,
    /// Write time
    at: String,
    /// Kind of the actor: `user`, `local` (local command line), `clew` or `anonymous` (unauthenticated)
    actor_kind: &'static str,
    /// Name of the actor; unverified if the actor is unauthenticated
    actor: String,
    /// User id of the actor
    actor_id: Option<String>,
    /// Client address
    peer: Option<String>,
    /// X-Request-Id of the response
    request_id: String,
    operation: String,
    project_id: Option<String>,
    instance_id: Option<String>,
    node_id: Option<String>,
    /// Object of the operation
    target: String,
    /// Outcome: done, denied or failed
    outcome: &'static str,
    /// Error code of the response
    code: Option<String>,
    /// Details of the operation
    detail: Value,
    /// MAC of this row and all previous rows; to detect modified rows, keep a copy of the MAC outside the database
    link: String,
}

impl From<AuditRecord> for AuditRow {
    fn from(record: AuditRecord) -> Self {
        let event = record.event;
        let actor_id = match &event.origin.actor {
            Actor::User { id, .. } => Some(id.to_string()),
            _ => None,
        };
        Self {
            seq: record.seq,
            at: Timestamp::from_millisecond(record.at).unwrap_or_default().to_string(),
            actor_kind: event.origin.actor.kind(),
            actor: event.origin.actor.name().to_owned(),
            actor_id,
            peer: event.origin.peer.map(|peer| peer.to_string()),
            request_id: event.origin.request_id,
            operation: event.operation,
            project_id: event.project_id.map(String::from),
            instance_id: event.instance_id.map(String::from),
            node_id: event.node_id.map(String::from),
            target: event.target,
            outcome: event.outcome.name(),
            code: event.code,
            detail: event.detail,
            link: record.link,
        }
    }
}
