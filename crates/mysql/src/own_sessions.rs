//! Clew's own sessions on watched servers.
//!
//! A connection id alone identifies nothing: a server that restarts, a fail-over and a balancer give the same id to other clients. A
//! listed session is Clew's own where it runs a statement with the token of this installation under Clew's account, or where the server
//! lists it under the id *and* the socket address of a connection of this process.

use std::collections::{HashMap, HashSet};
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

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);
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

/// Connections of this process, open ones and those that were closed a short while ago.
#[derive(Debug, Default)]
struct Registry {
    /// By number.
    entries: HashMap<u64, Entry>,
    /// Numbers by connection id. Servers give the same ids.
    by_id: HashMap<u64, HashSet<u64>>,
    /// Numbers of connections without an id yet.
    without_id: HashSet<u64>,
}

impl Registry {
    fn add(&mut self, number: u64, entry: Entry) {
        let expired = |entry: &Entry| entry.closed.is_some_and(|closed| closed.elapsed() >= LINGER);
        let numbers: Vec<u64> =
            self.entries.iter().filter(|(_, entry)| expired(entry)).map(|(number, _)| *number).collect();
        for number in numbers {
            self.set_id(number, None);
            self.without_id.remove(&number);
            self.entries.remove(&number);
        }
        self.entries.insert(number, entry);
        self.without_id.insert(number);
    }

    fn set_id(&mut self, number: u64, id: Option<u64>) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        if let Some(before) = std::mem::replace(&mut entry.id, id)
            && let Some(numbers) = self.by_id.get_mut(&before)
        {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_id.remove(&before);
            }
        }
        match id {
            Some(id) => {
                self.without_id.remove(&number);
                self.by_id.entry(id).or_default().insert(number);
            }
            None => {
                self.without_id.insert(number);
            }
        }
    }

    /// Whether a session in a list of the node at this address is one of these connections.
    fn contains(&self, session: &Session, address: &str) -> bool {
        let matches = |number: &u64| self.entries.get(number).is_some_and(|entry| entry.matches(session, address));
        self.by_id.get(&session.id).is_some_and(|numbers| numbers.iter().any(matches))
            || self.without_id.iter().any(matches)
    }
}

#[derive(Debug)]
struct Entry {
    account: Vec<u8>,
    /// Of the node, as it is registered.
    address: String,
    local: SocketAddr,
    /// `CONNECTION_ID()`, once it was read.
    id: Option<u64>,
    /// `host:port` as the server lists the connection, once it was seen in a list; another than `local` behind a proxy.
    listed: Option<Vec<u8>>,
    closed: Option<Instant>,
}

impl Entry {
    fn matches(&self, session: &Session, address: &str) -> bool {
        match (self.id, &self.listed) {
            // Without a port, as over a Unix socket, the address identifies nothing.
            (Some(id), Some(listed)) => id == session.id && *listed == session.host && port(listed).is_some(),
            // While it is open, no other session of the same server has its id, and behind a proxy its address is not known yet.
            (Some(id), None) if self.closed.is_none() && self.address == address => {
                id == session.id && session.user == self.account
            }
            (Some(id), None) => id == session.id && self.is_at(&session.host, true),
            // It signs in, or has just done so.
            (None, _) => {
                (session.user == UNAUTHENTICATED || session.user == self.account) && self.is_at(&session.host, false)
            }
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
    /// A connection to the node at `address` whose client end is at `local`, before it signs in.
    pub(crate) fn opened(local: SocketAddr, account: &str, address: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tag = format!("clew:{}.{}.{number}", token(), std::process::id());
        let (account, address) = (account.as_bytes().to_vec(), address.to_owned());
        lock().add(number, Entry { account, address, local, id: None, listed: None, closed: None });
        Self { number, tag }
    }

    /// Identifies the connection; part of each of its statements.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// The server's id of the connection, by its own `CONNECTION_ID()`.
    pub(crate) fn has_id(&self, id: u64) {
        lock().set_id(self.number, Some(id));
    }

    /// The connection is closed; the server may list it for a moment.
    pub(crate) fn closed(&self) {
        if let Some(entry) = lock().entries.get_mut(&self.number) {
            entry.closed = Some(Instant::now());
        }
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
    /// Of the node that lists.
    address: String,
    listed: Option<u64>,
}

impl OwnSessionFilter {
    /// For lists that `own` reads under this account, by name without host, from the node at this address.
    pub(crate) fn new(own: &OwnSession, account: &str, address: &str) -> Self {
        Self {
            account: account.as_bytes().to_vec(),
            number: own.number,
            tag: format!("/* {} */", own.tag).into_bytes(),
            start: format!("/* clew:{}.", token()).into_bytes(),
            address: address.to_owned(),
            listed: None,
        }
    }

    /// Whether a session is Clew's own. Records how the server lists the connection that reads.
    pub(crate) fn is_own(&mut self, session: &Session) -> bool {
        let statement = session.statement.as_deref().unwrap_or_default();
        if statement.starts_with(&self.start) && session.user == self.account {
            if statement.starts_with(&self.tag) && self.listed.is_none() {
                self.listed = Some(session.id);
                let mut registry = lock();
                registry.set_id(self.number, Some(session.id));
                if let Some(entry) = registry.entries.get_mut(&self.number) {
                    entry.listed = Some(session.host.clone());
                }
            }
            return true;
        }
        lock().contains(session, &self.address)
    }

    /// The id under which the list shows the connection that reads it, running the statement that reads it. Nothing where the list is
    /// that of another server, or of a proxy.
    pub(crate) fn listed(&self) -> Option<u64> {
        self.listed
    }
}

fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "db.test:3306";

    fn session(id: u64, host: &str) -> Session {
        Session { id, user: b"clew".to_vec(), host: host.into(), ..Session::default() }
    }

    fn opened(address: &str, id: u64) -> (OwnSession, OwnSessionFilter) {
        let own = OwnSession::opened(address.parse().unwrap(), "clew", NODE);
        own.has_id(id);
        let filter = OwnSessionFilter::new(&own, "clew", NODE);
        (own, filter)
    }

    #[test]
    fn session_is_own_by_id_and_socket_address_together() {
        let (own, mut filter) = opened("192.0.2.7:40001", 7);
        assert!(filter.is_own(&session(7, "198.51.100.1:9")), "open, behind a proxy");
        assert!(!filter.is_own(&Session { user: b"app".to_vec(), ..session(7, "192.0.2.7:40001") }));
        let mut of_other_node = OwnSessionFilter::new(&own, "clew", "other.test:3306");
        assert!(!of_other_node.is_own(&session(7, "198.51.100.1:9")), "the same id on another server");
        assert!(of_other_node.is_own(&session(7, "192.0.2.7:40001")), "the same server under another name");
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
        let own = OwnSession::opened("192.0.2.7:40021".parse().unwrap(), "clew", NODE);
        let mut filter = OwnSessionFilter::new(&own, "clew", NODE);
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
