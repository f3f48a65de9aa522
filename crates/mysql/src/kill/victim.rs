//! The session that is to be killed: what identified it when it was chosen.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use clew_model::Session;

use super::KillKind;
use crate::server_instance::ServerInstance;

/// Bytes of a statement that are compared; lists for choosing victims keep no more.
pub(super) const STATEMENT_COMPARED: usize = 64 << 10;
/// Longest row of a list for choosing victims.
pub(super) const MAX_ROW: usize = STATEMENT_COMPARED + (4 << 10);
/// Servers print whole seconds.
const ROUNDED_SECONDS: u64 = 2;

/// A read of a list of sessions: of which server, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRead {
    /// The server that listed the sessions.
    pub server: ServerInstance,
    /// When the ages of the sessions were read.
    pub at: Instant,
    /// Seconds as the server reported them, by session id, of those that were corrected: a later list reports them in the same way.
    pub(super) reported: Arc<HashMap<u64, u64>>,
}

/// A session by what identifies it: a server instance, a connection id, an account and a client address. The id alone is given to
/// other clients after a restart, and by other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victim {
    /// Connection id.
    pub id: u64,
    /// Account name without host.
    pub user: Vec<u8>,
    /// `host:port` of the client, as the server listed it.
    pub host: Vec<u8>,
    /// What it must still be doing; nothing if it is to be killed whatever it does by then.
    pub doing: Option<Doing>,
    /// The list in which it was seen.
    pub read: ListRead,
}

/// What a session was doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    /// Its statement, or the beginning of a long one; empty if it ran none.
    pub statement: Vec<u8>,
    /// Seconds that it had been at it, as the server reported them.
    pub seconds: u64,
}

impl Victim {
    /// A session, whatever it does by the time of the kill.
    #[must_use]
    pub fn connection_of(session: &Session, read: &ListRead) -> Self {
        Self { id: session.id, user: session.user.clone(), host: session.host.clone(), doing: None, read: read.clone() }
    }

    /// A session for as long as it runs this statement, and not another or the same again.
    #[must_use]
    pub fn statement_of(session: &Session, read: &ListRead) -> Self {
        let statement = beginning(session.statement.as_deref().unwrap_or_default()).to_vec();
        let seconds = read.reported.get(&session.id).copied().unwrap_or(session.seconds);
        let doing = Some(Doing { statement, seconds });
        Self { doing, ..Self::connection_of(session, read) }
    }

    /// Whether a session as a whole was chosen for what it does and for how long: by a rule.
    pub(super) fn is_chosen_by_age(&self, kind: KillKind) -> bool {
        kind == KillKind::Connection && self.doing.is_some()
    }

    /// Whether what is listed under its id now is still this session.
    pub(super) fn matches(&self, now: &Session) -> bool {
        self.user == now.user && self.host == now.host
    }

    /// Whether the session does what it must be doing. A statement that began again has run for a shorter time than passed.
    pub(super) fn still_running(&self, now: &Session) -> bool {
        self.doing.as_ref().is_none_or(|doing| {
            let statement = now.statement.as_deref().unwrap_or_default();
            let at_least = doing.seconds.saturating_add(self.read.at.elapsed().as_secs());
            beginning(statement) == beginning(&doing.statement)
                && now.seconds.saturating_add(ROUNDED_SECONDS) >= at_least
        })
    }
}

fn beginning(statement: &[u8]) -> &[u8] {
    statement.get(..STATEMENT_COMPARED).unwrap_or(statement)
}
