//! Clew's own sessions on a server: never anybody's answer.
//!
//! A server shows a connection for a moment after it was closed, and collections of one node may run side by side, so the ids
//! of all connections of this process are kept, by the address that they lead to, until the server surely forgot them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clew_model::Session;

/// For a server to clear a closed connection away.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

static KNOWN: LazyLock<Mutex<HashMap<String, Vec<Known>>>> = LazyLock::new(Mutex::default);

/// How many connections were ever opened, to any address.
static OPENED: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct Known {
    id: u64,
    closed: Option<Instant>,
}

/// A connection that is open. Dropping this says that it was closed.
#[derive(Debug)]
pub(crate) struct OwnSession {
    address: String,
    id: u64,
}

impl OwnSession {
    /// A connection to this address that the server knows by this thread id.
    pub(crate) fn opened(address: &str, id: u64) -> Self {
        let mut known = lock();
        known.retain(|_, sessions| {
            sessions.retain(|session| session.closed.is_none_or(|closed| closed.elapsed() < FORGOTTEN_AFTER));
            !sessions.is_empty()
        });
        known.entry(address.to_owned()).or_default().push(Known { id, closed: None });
        OPENED.fetch_add(1, Ordering::Release);
        Self { address: address.to_owned(), id }
    }
}

impl Drop for OwnSession {
    fn drop(&mut self) {
        let mut known = lock();
        let sessions = known.get_mut(&self.address).into_iter().flatten();
        for session in sessions.filter(|session| session.id == self.id && session.closed.is_none()).take(1) {
            session.closed = Some(Instant::now());
        }
    }
}

/// Which of the sessions that a connection reads are Clew's own.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    address: String,
    id: u64,
    asked_for_tls: bool,
}

impl Own {
    /// How far back the connection can be that only asked for TLS: others may have come in between.
    const NEAR: u64 = 8;

    /// Own sessions, as seen from the connection `id` to `address`.
    pub(crate) fn new(address: &str, id: u64, asked_for_tls: bool) -> Self {
        Self { address: address.to_owned(), id, asked_for_tls }
    }

    /// Whether a session is one of those known now.
    pub(crate) fn known(&self) -> impl Fn(&Session) -> bool {
        let ids = ids(&self.address);
        move |session| ids.contains(&session.id) || self.is_left_of(session)
    }

    /// The same at any time, for a read that goes on while others begin.
    pub(crate) fn watched(self) -> WatchedOwn {
        WatchedOwn { own: self, ids: Vec::new(), opened: 0 }
    }

    /// Whether a session is what the server has not yet cleared away of the connection that only asked for TLS. The driver does
    /// not tell its id, but it came just before, and never signed in.
    fn is_left_of(&self, session: &Session) -> bool {
        self.asked_for_tls
            && session.user == b"unauthenticated user"
            && (self.id.saturating_sub(Self::NEAR)..self.id).contains(&session.id)
    }
}

/// Own sessions; their ids are read again where a connection was opened since.
#[derive(Debug)]
pub(crate) struct WatchedOwn {
    own: Own,
    ids: Vec<u64>,
    opened: u64,
}

impl WatchedOwn {
    /// Whether a session is Clew's own.
    pub(crate) fn has(&mut self, session: &Session) -> bool {
        let opened = OPENED.load(Ordering::Acquire);
        if self.opened != opened {
            self.ids = ids(&self.own.address);
            self.opened = opened;
        }
        self.ids.contains(&session.id) || self.own.is_left_of(session)
    }
}

/// Thread ids of all of Clew's sessions at this address, those that were closed just now among them.
fn ids(address: &str) -> Vec<u64> {
    lock().get(address).into_iter().flatten().map(|session| session.id).collect()
}

fn lock() -> MutexGuard<'static, HashMap<String, Vec<Known>>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_known_by_their_address_and_for_a_while_after_their_end() {
        let (first, other) = (OwnSession::opened("a.test:1", 7), OwnSession::opened("b.test:1", 7));
        let second = OwnSession::opened("a.test:1", 8);
        assert_eq!(ids("a.test:1"), [7, 8]);
        drop(first);
        drop(second);
        assert_eq!(ids("a.test:1"), [7, 8]);
        lock().get_mut("a.test:1").unwrap()[0].closed = Instant::now().checked_sub(FORGOTTEN_AFTER);
        let _third = OwnSession::opened("c.test:1", 9);
        assert_eq!((ids("a.test:1"), ids("b.test:1")), (vec![8], vec![7]));
        drop(other);
    }

    #[test]
    fn who_watches_learns_of_connections_that_are_opened_meanwhile() {
        let session = |id| Session { id, ..Session::default() };
        let _first = OwnSession::opened("watched.test:1", 7);
        let mut own = Own::new("watched.test:1", 7, false).watched();
        assert!(own.has(&session(7)) && !own.has(&session(8)));
        let second = OwnSession::opened("watched.test:1", 8);
        assert!(own.has(&session(8)), "opened since");
        drop(second);
        assert!(own.has(&session(8)), "closed just now");
    }

    #[test]
    fn only_what_never_signed_in_just_before_is_taken_for_clews_own() {
        let session = |id, user: &str| Session { id, user: user.into(), ..Session::default() };
        let own = Own { address: String::new(), id: 100, asked_for_tls: true };
        for (session, is_own) in [
            (session(99, "unauthenticated user"), true),
            (session(92, "unauthenticated user"), true),
            (session(91, "unauthenticated user"), false),
            (session(101, "unauthenticated user"), false),
            (session(99, "app"), false),
        ] {
            assert_eq!(own.is_left_of(&session), is_own, "{session:?}");
            assert!(!Own { asked_for_tls: false, ..own.clone() }.is_left_of(&session));
        }
    }
}
