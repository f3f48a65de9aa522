//! Rows of the audit as the API writes them.

use clew_model::Actor;
use clew_store::AuditRecord;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A row of the audit.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditRow {
    /// Its position
    seq: i64,
    /// When it was written
    at: String,
    /// Who: user, local (the command line, on the data directory itself), clew, or nobody (not signed in)
    actor_kind: &'static str,
    /// Name of who it was, or claimed to be
    actor: String,
    /// Id of the user
    actor_id: Option<String>,
    /// Address of the client
    peer: Option<String>,
    /// X-Request-Id of the answer
    request_id: String,
    operation: String,
    project_id: Option<String>,
    instance_id: Option<String>,
    node_id: Option<String>,
    /// What it was done to
    target: String,
    /// done, denied or failed
    outcome: &'static str,
    /// Error code that was answered
    code: Option<String>,
    /// What else is to be known
    detail: Value,
    /// Its link of the chain: kept elsewhere, it shows later that the rows up to it are those that were here
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
