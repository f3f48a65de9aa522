//! Describes the victim of a kill: a session that the caller selected from a process list.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use clew_model::Session;

use super::KillTarget;
use crate::server_instance::ServerInstance;

/// Maximum number of bytes of a victim's statement that Clew stores and compares.
pub(super) const MAX_COMPARED_STATEMENT_BYTES: usize = 64 << 10;
/// Maximum number of bytes that Clew reads per process list row when it kills sessions.
pub(super) const MAX_VICTIM_ROW_BYTES: usize = MAX_COMPARED_STATEMENT_BYTES + (4 << 10);
/// Tolerance in seconds when Clew compares ages, because servers round ages to whole seconds.
const AGE_TOLERANCE_SECONDS: u64 = 2;

/// Source of a process list: the server instance, and the instant at which Clew read the process list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessListSource {
    /// Server instance that returned the process list.
    pub server: ServerInstance,
    /// Local monotonic instant at which Clew read the session ages.
    pub at: Instant,
    /// Age in seconds that the server reported for each session whose age Clew corrected, by session id.
    /// Before a kill, Clew compares the reported age with the age in a later process list.
    pub(super) reported: Arc<HashMap<u64, u64>>,
}

/// Session to kill, identified by server instance, connection id, account and client address.
/// A connection id alone does not identify a session, because a restarted server or another server may assign it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victim {
    /// Connection id.
    pub id: u64,
    /// Account name without host.
    pub user: Vec<u8>,
    /// Client address in the process list, as `host:port`.
    pub host: Vec<u8>,
    /// SQL statement that must still be running when Clew sends the `KILL`, or `None` to accept any statement.
    pub expected: Option<ExpectedStatement>,
    /// Source of the process list from which the caller selected the victim.
    pub read: ProcessListSource,
}

/// SQL statement that the session must still be executing when Clew sends the `KILL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedStatement {
    /// SQL text of the statement, possibly truncated. The SQL text is empty for an idle session.
    pub statement: Vec<u8>,
    /// Age of the statement in seconds, as the server reported it.
    pub seconds: u64,
}

impl Victim {
    /// Creates a victim that Clew kills regardless of the statement that the session is running.
    #[must_use]
    pub fn for_session(session: &Session, read: &ProcessListSource) -> Self {
        Self {
            id: session.id,
            user: session.user.clone(),
            host: session.host.clone(),
            expected: None,
            read: read.clone(),
        }
    }

    /// Creates a victim that Clew kills only while the session's current statement is still running.
    #[must_use]
    pub fn for_statement(session: &Session, read: &ProcessListSource) -> Self {
        let statement = truncate_for_comparison(session.statement.as_deref().unwrap_or_default()).to_vec();
        let seconds = read.reported.get(&session.id).copied().unwrap_or(session.seconds);
        let expected = Some(ExpectedStatement { statement, seconds });
        Self { expected, ..Self::for_session(session, read) }
    }

    /// Returns whether a kill rule selected the session by its age.
    pub(super) fn was_selected_by_age(&self, kind: KillTarget) -> bool {
        kind == KillTarget::Connection && self.expected.is_some()
    }

    /// Returns whether the session `now`, which has the victim's id, also has the victim's account and client address.
    pub(super) fn matches_session(&self, now: &Session) -> bool {
        self.user == now.user && self.host == now.host
    }

    /// Returns whether the session still runs the expected statement.
    /// If the statement's age is lower than expected, the session has started the same statement again.
    pub(super) fn runs_expected_statement(&self, now: &Session) -> bool {
        self.expected.as_ref().is_none_or(|expected| {
            let statement = now.statement.as_deref().unwrap_or_default();
            let at_least = expected.seconds.saturating_add(self.read.at.elapsed().as_secs());
            truncate_for_comparison(statement) == truncate_for_comparison(&expected.statement)
                && now.seconds.saturating_add(AGE_TOLERANCE_SECONDS) >= at_least
        })
    }
}

fn truncate_for_comparison(statement: &[u8]) -> &[u8] {
    statement.get(..MAX_COMPARED_STATEMENT_BYTES).unwrap_or(statement)
}

pub(super) fn is_idle(session: &Session) -> bool {
    session.command.eq_ignore_ascii_case(b"Sleep")
}

/// Returns whether the server has accepted an earlier kill of the session, but the session has not ended yet.
pub(super) fn has_pending_kill(session: &Session) -> bool {
    session.command.eq_ignore_ascii_case(b"Killed")
}
