//! Clew's own sessions on watched servers.
//!
//! A connection id alone identifies nothing: a server that restarts, a fail-over and a balancer give the same id to other clients. A
//! listed session is Clew's own where it runs a statement with the token of this installation under Clew's account, or where the server
//! lists it under the id *and* the socket address of a connection of this process.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use clew_model::Session;
use uuid::Uuid;

/// Servers list a closed connection for a moment: its entry is kept this long.
const LINGER: Duration = Duration::from_mins(1);
/// What the server lists as the account of a connection that has not signed in yet.
const UNAUTHENTICATED: &[u8] = b"unauthenticated user";

static REGISTRY: LazyLock<Mutex<Vec<Entry>>> = LazyLock::new(Mutex::default);
/// Rises with each change of the registry.
static VERSION: AtomicU64 = AtomicU64::new(0);
static NEXT: AtomicU64 = AtomicU64::new(0);
static TOKEN: OnceLock<String> = OnceLock::new();

/// Sets the token by which the processes of one installation recognise each other's sessions: unguessable, and made of letters and
/// digits. Without effect once this process has connected to a server; without a token, a process makes a random one of its own.
pub fn share_session_token(token: &str) {
    let token: String = token.chars().filter(char::is_ascii_alphanumeric).collect();
    let _ = TOKEN.set(token);
}

/// The token of this installation, as it starts the tag of each connection.
pub(crate) fn token() -> &'static str {
    TOKEN.get_or_init(|| Uuid::new_v4().simple().to_string())
}

#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    account: Vec<u8>,
    local: SocketAddr,
    /// `CONNECTION_ID()`, once it was read.
    id: Option<u64>,
    /// `host:port` as the server lists the connection, once it was seen in a list; another than `local` behind a proxy.
    listed: Option<Vec<u8>>,
    closed: Option<Instant>,
}

impl Entry {
    fn matches(&self, session: &Session) -> bool {
        match (self.id, &self.listed) {
            // Without a port, as over a Unix socket, the address identifies nothing.
            (Some(id), Some(listed)) => id == session.id && *listed == session.host && port(listed).is_some(),
            // While it is open, no other session of the same server has its id, and behind a proxy its address is not known yet.
            (Some(id), None) if self.closed.is_none() => id == session.id && session.user == self.account,
            (Some(id), None) => id == session.id && self.is_at(&session.host, true),
            (None, _) => session.user == UNAUTHENTICATED && self.is_at(&session.host, false),
        }
    }

    /// Whether the server lists this end of the connection so. A server that resolves names lists a name instead of an address.
    fn is_at(&self, host: &[u8], or_name: bool) -> bool {
        let Some((name, port)) = port(host) else { return false };
        port == self.local.port()
            && name
                .parse::<IpAddr>()
                .map_or(or_name, |address| address.to_canonical() == self.local.ip().to_canonical())
    }
}

/// Host and port of a listed client.
fn port(host: &[u8]) -> Option<(&str, u16)> {
    let (name, port) = std::str::from_utf8(host).ok()?.rsplit_once(':')?;
    Some((name, port.parse().ok()?))
}

/// A connection of this process. Dropping it marks the connection as closed.
#[derive(Debug)]
pub(crate) struct OwnSession {
    number: u64,
    tag: String,
}

impl OwnSession {
    /// A connection whose client end is at this address, before it signs in.
    pub(crate) fn opened(local: SocketAddr, account: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tag = format!("clew:{}.{}.{number}", token(), std::process::id());
        let mut registry = lock();
        registry.retain(|entry| entry.closed.is_none_or(|closed| closed.elapsed() < LINGER));
        let account = account.as_bytes().to_vec();
        registry.push(Entry { number, account, local, id: None, listed: None, closed: None });
        VERSION.fetch_add(1, Ordering::Release);
        Self { number, tag }
    }

    /// Identifies the connection; part of each of its statements.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// The server's id of the connection, by its own `CONNECTION_ID()`.
    pub(crate) fn has_id(&self, id: u64) {
        self.update(|entry| entry.id = Some(id));
    }

    /// The connection is closed; the server may list it for a moment.
    pub(crate) fn closed(&self) {
        self.update(|entry| entry.closed = Some(Instant::now()));
    }

    fn update(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = lock().iter_mut().find(|entry| entry.number == self.number) {
            change(entry);
        }
        VERSION.fetch_add(1, Ordering::Release);
    }
}

impl Drop for OwnSession {
    fn drop(&mut self) {
        self.closed();
    }
}

/// Recognises Clew's own sessions among those that one connection lists.
#[derive(Debug, Clone)]
pub(crate) struct OwnSessionFilter {
    account: Vec<u8>,
    number: u64,
    tag: Vec<u8>,
    /// Start of every statement of this installation.
    start: Vec<u8>,
    entries: Vec<Entry>,
    version: u64,
    listed: Option<u64>,
}

impl OwnSessionFilter {
    /// For lists that `own` reads under this account, by name without host.
    pub(crate) fn new(own: &OwnSession, account: &str) -> Self {
        Self {
            account: account.as_bytes().to_vec(),
            number: own.number,
            tag: format!("/* {} */", own.tag).into_bytes(),
            start: format!("/* clew:{}.", token()).into_bytes(),
            entries: Vec::new(),
            version: u64::MAX,
            listed: None,
        }
    }

    /// Whether a session is Clew's own. Records how the server lists the connection that reads.
    pub(crate) fn is_own(&mut self, session: &Session) -> bool {
        let statement = session.statement.as_deref().unwrap_or_default();
        if statement.starts_with(&self.start) && session.user == self.account {
            if statement.starts_with(&self.tag) && self.listed.is_none() {
                self.listed = Some(session.id);
                let listed = |entry: &mut Entry| {
                    entry.id = Some(session.id);
                    entry.listed = Some(session.host.clone());
                };
                lock().iter_mut().filter(|entry| entry.number == self.number).for_each(listed);
                VERSION.fetch_add(1, Ordering::Release);
            }
            return true;
        }
        let version = VERSION.load(Ordering::Acquire);
        if self.version != version {
            self.entries.clone_from(&lock());
            self.version = version;
        }
        self.entries.iter().any(|entry| entry.matches(session))
    }

    /// The id under which the list shows the connection that reads it, running the statement that reads it. Nothing where the list is
    /// that of another server, or of a proxy.
    pub(crate) fn listed(&self) -> Option<u64> {
        self.listed
    }
}

fn lock() -> MutexGuard<'static, Vec<Entry>> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: u64, host: &str) -> Session {
        Session { id, user: b"clew".to_vec(), host: host.into(), ..Session::default() }
    }

    fn opened(address: &str, id: u64) -> (OwnSession, OwnSessionFilter) {
        let own = OwnSession::opened(address.parse().unwrap(), "clew");
        own.has_id(id);
        let filter = OwnSessionFilter::new(&own, "clew");
        (own, filter)
    }

    #[test]
    fn session_is_own_by_id_and_socket_address_together() {
        let (own, mut filter) = opened("192.0.2.7:40001", 7);
        assert!(filter.is_own(&session(7, "198.51.100.1:9")), "open, behind a proxy");
        assert!(!filter.is_own(&Session { user: b"app".to_vec(), ..session(7, "192.0.2.7:40001") }));
        // A server lists a closed connection for a moment; after a restart, the id is another client's.
        drop(own);
        for (id, host, is_own) in [
            (7, "192.0.2.7:40001", true),
            (7, "client.test:40001", true),
            (7, "192.0.2.8:40001", false),
            (7, "192.0.2.7:40002", false),
            (8, "192.0.2.7:40001", false),
            (7, "192.0.2.7", false),
            (7, "localhost", false),
        ] {
            assert_eq!(filter.is_own(&session(id, host)), is_own, "{id} {host}");
        }
    }

    #[test]
    fn session_is_own_by_the_token_in_its_statement_under_the_own_account() {
        let (own, mut filter) = opened("192.0.2.7:40011", 17);
        let (other, _) = opened("192.0.2.7:40012", 18);
        let with = |mut session: Session, statement: String| {
            session.statement = Some(statement.into_bytes());
            session
        };
        let behind_proxy = with(session(99, "198.51.100.1:9"), format!("/* {} */ SELECT 1", other.tag()));
        assert!(filter.is_own(&behind_proxy));
        assert_eq!(filter.listed(), None, "the statement of another connection");
        let forged = Session { user: b"app".to_vec(), ..behind_proxy.clone() };
        assert!(!filter.is_own(&forged), "another account repeats a statement");
        let quoted = with(session(98, "198.51.100.1:9"), format!("SELECT '/* {} */'", other.tag()));
        assert!(!filter.is_own(&quoted));
        let itself = with(session(97, "198.51.100.1:8"), format!("/* {} */ SHOW FULL PROCESSLIST", own.tag()));
        assert!(filter.is_own(&itself));
        assert_eq!(filter.listed(), Some(97));
        assert!(filter.is_own(&session(97, "198.51.100.1:8")), "its address in the list is known now");
        assert!(!filter.is_own(&session(97, "198.51.100.1:7")));
    }

    #[test]
    fn connection_that_signs_in_is_own_by_its_socket_address() {
        let own = OwnSession::opened("192.0.2.7:40021".parse().unwrap(), "clew");
        let mut filter = OwnSessionFilter::new(&own, "clew");
        let listed = |user: &str, host: &str| Session { user: user.into(), ..session(5, host) };
        assert!(filter.is_own(&listed("unauthenticated user", "192.0.2.7:40021")));
        assert!(!filter.is_own(&listed("unauthenticated user", "client.test:40021")));
        assert!(!filter.is_own(&listed("app", "192.0.2.7:40021")));
    }

    #[test]
    fn address_without_a_port_identifies_nothing() {
        let (own, mut filter) = opened("192.0.2.7:40031", 27);
        let statement = format!("/* {} */ SHOW FULL PROCESSLIST", own.tag());
        let itself = Session { statement: Some(statement.into_bytes()), ..session(27, "localhost") };
        assert!(filter.is_own(&itself));
        assert!(
            !filter.is_own(&session(27, "localhost")),
            "another session of a restarted server, over its Unix socket"
        );
    }
}
