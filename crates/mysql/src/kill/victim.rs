//! Victim of a kill, as it was listed when it was chosen.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use clew_model::Session;

use super::KillKind;
use crate::server_instance::ServerInstance;

/// Maximum bytes of a statement that are compared. Lists for choosing victims store no more.
pub(super) const MAX_COMPARED_STATEMENT_BYTES: usize = 64 << 10;
/// Maximum bytes of a row in a list for choosing victims.
pub(super) const MAX_VICTIM_ROW_BYTES: usize = MAX_COMPARED_STATEMENT_BYTES + (4 << 10);
/// Tolerance in seconds: servers round ages to whole seconds.
const AGE_TOLERANCE_SECONDS: u64 = 2;

/// Server and time of a process list read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessListRead {
    /// Server that listed the sessions.
    pub server: ServerInstance,
    /// Time at which the ages of the sessions were read.
    pub at: Instant,
    /// Uncorrected ages in seconds by session id, for sessions whose age was corrected.
    /// A kill compares them with the uncorrected ages of a later process list.
    pub(super) reported: Arc<HashMap<u64, u64>>,
}

/// Session to kill, identified by server instance, connection id, account and client address.
/// A connection id is not unique: it is reused after a restart, and by other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victim {
    /// Connection id.
    pub id: u64,
    /// Account name without host.
    pub user: Vec<u8>,
    /// Client address (`host:port`) as the server listed it.
    pub host: Vec<u8>,
    /// Statement that the session must still run. `None` accepts any statement.
    pub expected: Option<ExpectedStatement>,
    /// Process list that the victim was chosen from.
    pub read: ProcessListRead,
}

/// Statement that a victim must still run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedStatement {
    /// Text of the statement, or its prefix; empty for an idle session.
    pub statement: Vec<u8>,
    /// Age of the statement in seconds, as the server reported it.
    pub seconds: u64,
}

impl Victim {
    /// Creates a victim that is killed whatever it runs.
    #[must_use]
    pub fn for_session(session: &Session, read: &ProcessListRead) -> Self {
        Self {
            id: session.id,
            user: session.user.clone(),
            host: session.host.clone(),
            expected: None,
            read: read.clone(),
        }
    }

    /// Creates a victim that is killed only while it runs the same execution of its statement.
    #[must_use]
    pub fn for_statement(session: &Session, read: &ProcessListRead) -> Self {
        let statement = truncate_to_compared(session.statement.as_deref().unwrap_or_default()).to_vec();
        let seconds = read.reported.get(&session.id).copied().unwrap_or(session.seconds);
        let expected = Some(ExpectedStatement { statement, seconds });
        Self { expected, ..Self::for_session(session, read) }
    }

    /// Returns whether a rule chose the whole session by its age.
    pub(super) fn was_chosen_by_age(&self, kind: KillKind) -> bool {
        kind == KillKind::Connection && self.expected.is_some()
    }

    /// Returns whether the listed session with this id is still the victim.
    pub(super) fn matches_session(&self, now: &Session) -> bool {
        self.user == now.user && self.host == now.host
    }

    /// Returns whether the session still runs the expected statement.
    /// A repeated execution of the same statement is younger than the time since the list was read.
    pub(super) fn is_still_running(&self, now: &Session) -> bool {
        self.expected.as_ref().is_none_or(|expected| {
            let statement = now.statement.as_deref().unwrap_or_default();
            let at_least = expected.seconds.saturating_add(self.read.at.elapsed().as_secs());
            truncate_to_compared(statement) == truncate_to_compared(&expected.statement)
                && now.seconds.saturating_add(AGE_TOLERANCE_SECONDS) >= at_least
        })
    }
}

fn truncate_to_compared(statement: &[u8]) -> &[u8] {
    statement.get(..MAX_COMPARED_STATEMENT_BYTES).unwrap_or(statement)
}

pub(super) fn is_idle(session: &Session) -> bool {
    session.command.eq_ignore_ascii_case(b"Sleep")
}

/// Returns whether an earlier kill of the session is pending.
pub(super) fn is_killed(session: &Session) -> bool {
    session.command.eq_ignore_ascii_case(b"Killed")
}
