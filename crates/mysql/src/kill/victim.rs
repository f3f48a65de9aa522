//! Sessions to kill. The caller selects the sessions from a process list.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use clew_model::Session;

use crate::server_instance::ServerInstance;

pub(super) const MAX_COMPARED_STATEMENT_BYTES: usize = 64 << 10;
pub(super) const MAX_VICTIM_ROW_BYTES: usize = MAX_COMPARED_STATEMENT_BYTES + (4 << 10);
/// Tolerance, in seconds, for comparing elapsed times, which servers round to whole seconds.
const ELAPSED_TIME_TOLERANCE_SECONDS: u64 = 2;

/// Server instance that returned a process list, and the time at which Clew read the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessListSource {
    /// Server instance that returned the process list.
    pub server: ServerInstance,
    /// Time at which Clew read the process list, on the local monotonic clock.
    pub at: Instant,
    /// Maps session ids to the elapsed times that the server reported, in seconds.
    /// `reported` contains a session only if Clew has corrected the session's elapsed time.
    /// Before a kill, Clew compares each elapsed time in `reported` with the session's time in a new process list.
    pub(super) reported: Arc<HashMap<u64, u64>>,
}

/// Session to kill, identified by server instance, connection id, account and client address.
/// The connection id alone does not identify a session, because a restarted or different server may reuse the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victim {
    /// Connection id.
    pub id: u64,
    /// Account name without host.
    pub user: Vec<u8>,
    /// Client address as shown in the process list, in the form `host:port`.
    pub host: Vec<u8>,
    /// SQL statement that must still be running when Clew sends the `KILL`, or `None` if any statement is acceptable.
    pub expected: Option<ExpectedStatement>,
    /// Source of the process list from which the caller selected the victim: server instance and read time.
    pub read: ProcessListSource,
}

/// SQL statement that the session must still be executing when the `KILL` is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedStatement {
    /// SQL text of the statement, possibly truncated. Empty for an idle session.
    pub statement: Vec<u8>,
    /// Elapsed time of the statement, in seconds, as reported by the server.
    pub seconds: u64,
}

impl Victim {
    /// Creates a [`Victim`] that Clew kills even if the session has started another statement.
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

    /// Creates a [`Victim`] whose session is killed only if the session is still running the same statement.
    #[must_use]
    pub fn for_statement(session: &Session, read: &ProcessListSource) -> Self {
        let statement = truncate_statement_for_comparison(session.statement.as_deref().unwrap_or_default()).to_vec();
        let seconds = read.reported.get(&session.id).copied().unwrap_or(session.seconds);
        let expected = Some(ExpectedStatement { statement, seconds });
        Self { expected, ..Self::for_session(session, read) }
    }

    pub(super) fn matches_session(&self, now: &Session) -> bool {
        self.user == now.user && self.host == now.host
    }

    /// Compares the statement text and the elapsed time, because the session may have executed the same statement again.
    pub(super) fn runs_expected_statement(&self, now: &Session) -> bool {
        self.expected.as_ref().is_none_or(|expected| {
            let statement = now.statement.as_deref().unwrap_or_default();
            let at_least = expected.seconds.saturating_add(self.read.at.elapsed().as_secs());
            truncate_statement_for_comparison(statement) == truncate_statement_for_comparison(&expected.statement)
                && now.seconds.saturating_add(ELAPSED_TIME_TOLERANCE_SECONDS) >= at_least
        })
    }
}

fn truncate_statement_for_comparison(statement: &[u8]) -> &[u8] {
    statement.get(..MAX_COMPARED_STATEMENT_BYTES).unwrap_or(statement)
}

pub(super) fn has_pending_kill(session: &Session) -> bool {
    session.command.eq_ignore_ascii_case(b"Killed")
}
