//! Records kills made from the command line in the audit log.

use clew_diagnose::{build_statement_template, bytes_to_text};
use clew_model::{AuditEvent, AuditOutcome, DomainId, Session};
use clew_mysql::KillOutcome;
use clew_store::{Store, StoreLocation};
use serde_json::json;

use super::report::{KillReport, session_fields_to_json};
use crate::error::CliError;
use crate::local_audit_origin;
use crate::output::merge_json_objects;

pub(super) struct KillAuditLog {
    store: Store,
    /// `None` if the store contains several domains.
    domain: Option<DomainId>,
}

impl KillAuditLog {
    pub(super) async fn open(location: StoreLocation) -> Result<Self, CliError> {
        let store = Store::open(location).await?;
        let mut domains = store.tenants().list_domains().await?;
        let domain = domains.pop().filter(|_| domains.is_empty()).map(|domain| domain.id);
        Ok(Self { store, domain })
    }

    pub(super) async fn append_kill_audit_events(
        &self,
        report: &KillReport,
        outcomes: &[(u64, KillOutcome)],
    ) -> Result<(), CliError> {
        let origin = local_audit_origin::audit_origin_for_local_account();
        for (id, outcome) in outcomes {
            let Some(session) = report.selected.sessions.iter().find(|session| session.id == *id) else { continue };
            let event = AuditEvent {
                domain_id: self.domain.clone(),
                outcome: if outcome.is_success() { AuditOutcome::Succeeded } else { AuditOutcome::Failed },
                detail: build_kill_audit_detail(report, session, outcome),
                ..AuditEvent::for_successful_operation(&origin, "KillSession", id.to_string())
            };
            self.store.audit().append_audit_event(&event).await?;
        }
        Ok(())
    }
}

/// Uses the format of the audit rows that the API writes for kills.
/// The server is identified by address, because it need not be registered in Clew.
fn build_kill_audit_detail(report: &KillReport, session: &Session, outcome: &KillOutcome) -> serde_json::Value {
    let template = |statement: &Vec<u8>| bytes_to_text(&build_statement_template(statement));
    let kill = json!({
        "source": "manual", "server": report.address, "kind": report.kind.name(), "reason": report.reason,
        "statement": session.statement.as_ref().map(template), "outcome": outcome.name(), "detail": outcome.to_string(),
    });
    merge_json_objects(session_fields_to_json(session), kill)
}
