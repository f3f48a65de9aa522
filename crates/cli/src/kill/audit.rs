//! The audit of a data directory, for who has one and wants a kill from the command line to stand in it.

use clew_diagnose::{clean, template};
use clew_model::{AuditEvent, DomainId, Outcome, Session};
use clew_mysql::KillOutcome;
use clew_store::{Location, Store};
use serde_json::json;

use super::report::Report;
use crate::error::CliError;
use crate::origin;

/// An audit that can be written to: found out before anybody is killed.
pub(super) struct Audit {
    store: Store,
    /// The only one there is, if it is: its auditors see the kill too.
    domain: Option<DomainId>,
}

impl Audit {
    pub(super) async fn open(location: Location) -> Result<Self, CliError> {
        let store = Store::open(location).await?;
        let mut domains = store.domains().await?;
        let domain = domains.pop().filter(|_| domains.is_empty()).map(|domain| domain.id);
        Ok(Self { store, domain })
    }

    /// A row for each session that was there, whatever became of it.
    pub(super) async fn record(&self, report: &Report, outcomes: &[(u64, KillOutcome)]) -> Result<(), CliError> {
        let by = origin::local();
        for (id, outcome) in outcomes {
            let Some(session) = report.chosen.sessions.iter().find(|session| session.id == *id) else { continue };
            let event = AuditEvent {
                domain_id: self.domain.clone(),
                outcome: if outcome.is_success() { Outcome::Done } else { Outcome::Failed },
                detail: detail(report, session, outcome),
                ..AuditEvent::done(&by, "KillSession", id.to_string())
            };
            self.store.record(&event).await?;
        }
        Ok(())
    }
}

/// As the server's own kills have it, with the address instead of the node. Of the statement its template only.
fn detail(report: &Report, session: &Session, outcome: &KillOutcome) -> serde_json::Value {
    let text = |text: &Option<Vec<u8>>| text.as_deref().map(clean);
    json!({
        "source": "manual", "server": report.address, "kind": report.kind.name(), "reason": report.reason,
        "user": clean(&session.user), "host": clean(&session.host), "db": text(&session.database),
        "command": clean(&session.command), "seconds": session.seconds, "state": text(&session.state),
        "statement": session.statement.as_deref().map(|statement| clean(&template(statement))),
        "outcome": outcome.name(), "detail": outcome.to_string(),
    })
}
