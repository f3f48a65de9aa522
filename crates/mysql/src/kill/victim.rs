//! Which session is meant: what it was known by when it was chosen.

use std::time::Instant;

use clew_model::Session;

/// Bytes of a statement that tell it from others; whoever looks for victims keeps no more.
pub(super) const STATEMENT_COMPARED: usize = 64 << 10;
/// Servers print whole seconds.
const ROUNDED_SECONDS: u64 = 2;

/// The session that is meant, by what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victim {
    /// Thread id.
    pub id: u64,
    /// Account name without host.
    pub user: Vec<u8>,
    /// `host:port` of the client, as the server listed it.
    pub host: Vec<u8>,
    /// What it must still be doing; nothing if it is meant whatever it does by then.
    pub doing: Option<Doing>,
    /// When it was seen.
    pub seen: Instant,
}

/// What a session was seen doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    /// Its statement, or the beginning of a long one; empty if it ran none.
    pub statement: Vec<u8>,
    /// Seconds that it had been at it.
    pub seconds: u64,
}

impl Victim {
    /// A session, whatever it does by the time of the kill.
    #[must_use]
    pub fn connection_of(session: &Session, seen: Instant) -> Self {
        Self { id: session.id, user: session.user.clone(), host: session.host.clone(), doing: None, seen }
    }

    /// A session for as long as it runs this statement, and not another or the same again.
    #[must_use]
    pub fn statement_of(session: &Session, seen: Instant) -> Self {
        let statement = beginning(session.statement.as_deref().unwrap_or_default()).to_vec();
        let doing = Some(Doing { statement, seconds: session.seconds });
        Self { doing, ..Self::connection_of(session, seen) }
    }

    /// Whether the server is younger than what was seen of it, when it has run for these seconds.
    pub(super) fn was_before_restart(&self, uptime: u64) -> bool {
        let passed = self.seen.elapsed().as_secs();
        passed > 0 && uptime.saturating_add(ROUNDED_SECONDS) < passed
    }

    /// Whether what is listed under its id now is still this session.
    pub(super) fn is(&self, now: &Session) -> bool {
        self.user == now.user && self.host == now.host
    }

    /// Whether the session does what it must be doing. A statement that began anew has run for a shorter time than passed.
    pub(super) fn does_as_seen(&self, now: &Session) -> bool {
        self.doing.as_ref().is_none_or(|doing| {
            let statement = now.statement.as_deref().unwrap_or_default();
            let at_least = doing.seconds.saturating_add(self.seen.elapsed().as_secs());
            beginning(statement) == beginning(&doing.statement)
                && now.seconds.saturating_add(ROUNDED_SECONDS) >= at_least
        })
    }
}

fn beginning(statement: &[u8]) -> &[u8] {
    statement.get(..STATEMENT_COMPARED).unwrap_or(statement)
}
