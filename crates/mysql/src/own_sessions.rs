//! Recognizes Clew's own sessions in process lists.
//!
//! A connection id alone is not sufficient to recognize a session as one of Clew's own.
//! A restarted server, or another server behind a load balancer, may assign the same connection id to another client.
//! Clew treats a session in a process list as its own if at least one of these conditions is met:
//!
//! - The session has Clew's account, and its statement starts with a comment that contains the installation marker.
//! - The session matches a connection of this process by id and client address, or by only one of them if the other is unknown.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clew_model::Session;
use parking_lot::Mutex;
use uuid::Uuid;

/// Time for which Clew remembers a closed connection, because the process list may still contain its session.
const CLOSED_CONNECTION_RETENTION: Duration = Duration::from_mins(1);
/// Value of the process list's `Command` column for a client that is still logging in.
const PROCESS_LIST_COMMAND_DURING_LOGIN: &[u8] = b"Connect";

/// Connections that this process has opened, and the random text that identifies this Clew installation.
#[derive(Debug, Clone)]
pub(crate) struct OwnConnections {
    /// Random text that identifies the Clew installation and is part of every connection tag.
    installation_marker: Arc<str>,
    /// Random number that distinguishes this process from the other Clew processes of the installation.
    /// A process id would not be unique, because Clew processes can run on different machines or in different containers.
    process_token: u64,
    table: Arc<Mutex<ConnectionTable>>,
}

impl OwnConnections {
    pub(crate) fn new(installation_marker: &str) -> Self {
        let marker: String = installation_marker.chars().filter(char::is_ascii_alphanumeric).collect();
        let (_, process_token) = Uuid::new_v4().as_u64_pair();
        Self { installation_marker: marker.into(), process_token, table: Arc::default() }
    }

    /// Registers one of Clew's own connections. Callers must register a connection before they log in to the server.
    pub(crate) fn register_connection(
        &self,
        local: SocketAddr,
        account: &str,
        address: &str,
    ) -> ConnectionRegistration {
        let (account, address) = (account.as_bytes().to_vec(), address.to_owned());
        let entry = OwnConnection { account, address, local, id: None, server_host: None, listed: None, closed: None };
        let number = self.table.lock().add_connection(entry);
        let tag = format!("clew:{}.{:016x}.{number}", self.installation_marker, self.process_token);
        ConnectionRegistration { connections: self.clone(), number, tag }
    }
}

impl Default for OwnConnections {
    /// Generates a random installation marker.
    fn default() -> Self {
        Self::new(&Uuid::new_v4().simple().to_string())
    }
}

#[derive(Debug, Default)]
struct ConnectionTable {
    next_number: u64,
    /// Maps process-local connection numbers to open and recently closed connections.
    entries: HashMap<u64, OwnConnection>,
    /// Maps each connection id to a set of keys of `entries`, because different servers can assign the same connection id.
    /// The key `None` contains the connections for which Clew does not know the server's connection id yet.
    by_id: HashMap<Option<u64>, HashSet<u64>>,
}

impl ConnectionTable {
    /// Registers a connection and returns a number that identifies the connection within this process.
    fn add_connection(&mut self, entry: OwnConnection) -> u64 {
        let expired =
            |entry: &OwnConnection| entry.closed.is_some_and(|closed| closed.elapsed() >= CLOSED_CONNECTION_RETENTION);
        let removed: Vec<(u64, OwnConnection)> = self.entries.extract_if(|_, entry| expired(entry)).collect();
        for (number, entry) in removed {
            self.remove_from_id_index(number, entry.id);
        }
        let number = self.next_number;
        self.next_number += 1;
        self.by_id.entry(entry.id).or_default().insert(number);
        self.entries.insert(number, entry);
        number
    }

    fn set_connection_id(&mut self, number: u64, id: u64) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        let previous_id = entry.id.replace(id);
        self.remove_from_id_index(number, previous_id);
        self.by_id.entry(Some(id)).or_default().insert(number);
    }

    fn remove_from_id_index(&mut self, number: u64, id: Option<u64>) {
        if let Some(numbers) = self.by_id.get_mut(&id) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_id.remove(&id);
            }
        }
    }

    fn contains_session(&self, session: &Session, address: &str, server_host: Option<&[u8]>) -> bool {
        let matches = |number: &u64| {
            let entry = self.entries.get(number);
            entry.is_some_and(|entry| {
                entry.may_be_on_server(server_host)
                    && !entry.was_closed_before_idle_time_of(session)
                    && entry.matches_session(session, address)
            })
        };
        [Some(session.id), None].iter().filter_map(|id| self.by_id.get(id)).flatten().any(matches)
    }
}

#[derive(Debug)]
struct OwnConnection {
    account: Vec<u8>,
    address: String,
    local: SocketAddr,
    /// Result of `SELECT CONNECTION_ID()` for the connection, or `None` before the query has returned.
    id: Option<u64>,
    /// Host name, port, server id and data directory of the server, joined into one string; `None` if unknown.
    server_host: Option<Vec<u8>>,
    /// Client address of the connection in the process list, or `None` if Clew has not read the process list yet.
    /// Behind a proxy, the process list shows the proxy's address instead of the local socket address (`local`).
    listed: Option<Vec<u8>>,
    closed: Option<Instant>,
}

impl OwnConnection {
    /// Behind a load balancer, two servers can list the same connection id and client address.
    fn may_be_on_server(&self, server_host: Option<&[u8]>) -> bool {
        match (self.server_host.as_deref(), server_host) {
            (Some(own), Some(other)) => own == other,
            _ => true,
        }
    }

    /// Returns true if the session completed a statement, or logged in, after this connection was closed.
    /// After a restart, another client can have the connection id and the client address of a closed connection.
    fn was_closed_before_idle_time_of(&self, session: &Session) -> bool {
        let Some(closed) = self.closed.filter(|_| session.is_idle()) else { return false };
        // The server truncates the idle time to seconds.
        Duration::from_secs(session.seconds.saturating_add(1)) < closed.elapsed()
    }

    fn matches_session(&self, session: &Session, address: &str) -> bool {
        match (self.id, &self.listed) {
            // Without a port, as with a Unix socket, the client address does not identify a connection.
            (Some(id), Some(listed)) => {
                let Some((_, listed_port)) = parse_client_address(listed) else { return false };
                // The server may resolve the host name only after the login has started.
                // A different port is that of a proxy, and the local address then belongs to another client of the server.
                let is_direct = listed_port == self.local.port();
                let is_listed_address = *listed == session.host;
                id == session.id
                    && (is_listed_address || (is_direct && self.matches_local_address(&session.host, false)))
            }
            // While the connection is open, no other session of the server has its id.
            // The client address in the process list is not known yet and may be that of a proxy.
            (Some(id), None) if self.closed.is_none() && self.address == address => {
                id == session.id && session.user == self.account
            }
            (Some(id), None) => id == session.id && self.matches_local_address(&session.host, true),
            // The login is in progress or has just completed.
            // During a login, the account in the process list is unreliable: usually `unauthenticated user`.
            // MySQL 9.7 sometimes lists other text, such as the quoted account `root`@`%`.
            (None, _) => {
                (session.command == PROCESS_LIST_COMMAND_DURING_LOGIN || session.user == self.account)
                    && self.matches_local_address(&session.host, false)
            }
        }
    }

    /// Returns true if `host` has the local port and the local address or, if `or_name` is true, any host name.
    fn matches_local_address(&self, host: &[u8], or_name: bool) -> bool {
        let Some((name, port)) = parse_client_address(host) else { return false };
        let local = self.local.ip().to_canonical();
        let is_local_name = name == "localhost" && local.is_loopback();
        port == self.local.port()
            && name.parse::<IpAddr>().map_or(or_name || is_local_name, |address| address.to_canonical() == local)
    }
}

fn parse_client_address(host: &[u8]) -> Option<(&str, u16)> {
    let (name, port) = std::str::from_utf8(host).ok()?.rsplit_once(':')?;
    Some((name, port.parse().ok()?))
}

/// Registration of an open connection. Dropping the value marks the connection as closed.
#[derive(Debug)]
pub(crate) struct ConnectionRegistration {
    connections: OwnConnections,
    number: u64,
    pub(crate) tag: String,
}

impl ConnectionRegistration {
    pub(crate) fn installation_marker(&self) -> &str {
        &self.connections.installation_marker
    }

    pub(crate) fn set_connection_id(&self, id: u64, server_host: Option<Vec<u8>>) {
        let mut table = self.connections.table.lock();
        table.set_connection_id(self.number, id);
        if let Some(entry) = table.entries.get_mut(&self.number) {
            entry.server_host = server_host;
        }
    }

    pub(crate) fn mark_closed(&self) {
        if let Some(entry) = self.connections.table.lock().entries.get_mut(&self.number) {
            entry.closed = Some(Instant::now());
        }
    }
}

impl Drop for ConnectionRegistration {
    fn drop(&mut self) {
        self.mark_closed();
    }
}

#[derive(Debug, Clone)]
pub(crate) struct OwnSessionFilter {
    connections: OwnConnections,
    account: Vec<u8>,
    number: u64,
    tag: Vec<u8>,
    /// Prefix of every statement that the processes of this Clew installation send to monitored servers.
    start: Vec<u8>,
    address: String,
    server_host: Option<Vec<u8>>,
    /// Id of Clew's connection as shown in the process list, or `None` if the list does not contain the connection.
    pub(crate) listed: Option<u64>,
}

impl OwnSessionFilter {
    /// `account` is the user name of Clew's database account, without the host part.
    pub(crate) fn new(
        own: &ConnectionRegistration,
        account: &str,
        address: &str,
        server_host: Option<Vec<u8>>,
    ) -> Self {
        Self {
            connections: own.connections.clone(),
            account: account.as_bytes().to_vec(),
            number: own.number,
            tag: format!("/* {} */", own.tag).into_bytes(),
            start: format!("/* clew:{}.", own.installation_marker()).into_bytes(),
            address: address.to_owned(),
            server_host,
            listed: None,
        }
    }

    /// Returns true for Clew's own sessions. Also records the id of the connection that reads the process list.
    pub(crate) fn is_own_session(&mut self, session: &Session) -> bool {
        let statement = session.statement.as_deref().unwrap_or_default();
        if statement.starts_with(&self.start) && session.user == self.account {
            if statement.starts_with(&self.tag) && self.listed.is_none() {
                self.listed = Some(session.id);
                let mut table = self.connections.table.lock();
                table.set_connection_id(self.number, session.id);
                if let Some(entry) = table.entries.get_mut(&self.number) {
                    entry.listed = Some(session.host.clone());
                }
            }
            return true;
        }
        self.connections.table.lock().contains_session(session, &self.address, self.server_host.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "db.test:3306";

    fn session(id: u64, host: &str) -> Session {
        Session { id, user: b"clew".to_vec(), host: host.into(), ..Session::default() }
    }

    fn opened(connections: &OwnConnections, address: &str, id: u64) -> (ConnectionRegistration, OwnSessionFilter) {
        let own = connections.register_connection(address.parse().unwrap(), "clew", NODE);
        own.set_connection_id(id, None);
        let filter = OwnSessionFilter::new(&own, "clew", NODE, None);
        (own, filter)
    }

    #[test]
    fn session_is_own_by_id_and_socket_address_together() {
        let (own, mut filter) = opened(&OwnConnections::default(), "192.0.2.7:40001", 7);
        assert!(filter.is_own_session(&session(7, "198.51.100.1:9")), "open, behind a proxy");
        assert!(!filter.is_own_session(&Session { user: b"app".to_vec(), ..session(7, "192.0.2.7:40001") }));
        let mut of_other_node = OwnSessionFilter::new(&own, "clew", "other.test:3306", None);
        assert!(!of_other_node.is_own_session(&session(7, "198.51.100.1:9")), "the same id on another server");
        assert!(of_other_node.is_own_session(&session(7, "192.0.2.7:40001")), "the same server under another name");
        // A server may still list a closed connection. After a restart, the id belongs to another client.
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
            assert_eq!(filter.is_own_session(&session(id, host)), is_own, "{id} {host}");
        }
    }

    #[test]
    fn session_of_another_server_is_not_own() {
        let connections = OwnConnections::default();
        let own = connections.register_connection("192.0.2.7:40051".parse().unwrap(), "clew", NODE);
        own.set_connection_id(7, Some(b"first".to_vec()));
        let is_own = |server: Option<&str>| {
            let server = server.map(|server| server.as_bytes().to_vec());
            OwnSessionFilter::new(&own, "clew", NODE, server).is_own_session(&session(7, "192.0.2.7:40051"))
        };
        assert_eq!([Some("first"), None, Some("second")].map(is_own), [true, true, false]);
    }

    #[test]
    fn session_that_was_active_after_the_close_is_not_own() {
        let (own, mut filter) = opened(&OwnConnections::default(), "192.0.2.7:40061", 7);
        let idle = |seconds| Session { command: b"Sleep".to_vec(), seconds, ..session(7, "192.0.2.7:40061") };
        drop(own);
        let close = |ago| {
            let closed = Instant::now().checked_sub(Duration::from_secs(ago));
            filter.connections.table.lock().entries.values_mut().for_each(|entry| entry.closed = closed);
        };
        close(9);
        assert_eq!([7, 8, 9, 30].map(|seconds| filter.is_own_session(&idle(seconds))), [false, false, true, true]);
        let running = Session { command: b"Quit".to_vec(), ..idle(0) };
        assert!(filter.is_own_session(&running), "the server is closing the connection");
    }

    #[test]
    fn session_is_own_by_the_marker_in_its_statement_under_the_own_account() {
        let connections = OwnConnections::default();
        let (own, mut filter) = opened(&connections, "192.0.2.7:40011", 17);
        let (other, _) = opened(&connections, "192.0.2.7:40012", 18);
        let with = |mut session: Session, statement: String| {
            session.statement = Some(statement.into_bytes());
            session
        };
        let behind_proxy = with(session(99, "198.51.100.1:9"), format!("/* {} */ SELECT 1", other.tag));
        assert!(filter.is_own_session(&behind_proxy));
        assert_eq!(filter.listed, None, "the statement of another connection");
        let forged = Session { user: b"app".to_vec(), ..behind_proxy.clone() };
        assert!(!filter.is_own_session(&forged), "another account repeats a statement");
        let quoted = with(session(98, "198.51.100.1:9"), format!("SELECT '/* {} */'", other.tag));
        assert!(!filter.is_own_session(&quoted));
        let itself = with(session(97, "198.51.100.1:8"), format!("/* {} */ SHOW FULL PROCESSLIST", own.tag));
        assert!(filter.is_own_session(&itself));
        assert_eq!(filter.listed, Some(97));
        assert!(filter.is_own_session(&session(97, "198.51.100.1:8")), "its address in the list is known now");
        assert!(!filter.is_own_session(&session(97, "198.51.100.1:7")));
        assert!(
            !filter.is_own_session(&session(97, "192.0.2.7:40011")),
            "another client has the local port: the connection has the proxy's port"
        );
    }

    #[test]
    fn processes_of_an_installation_have_different_connection_tags() {
        let (first, second) = (OwnConnections::new("marker"), OwnConnections::new("marker"));
        let (own, _) = opened(&first, "192.0.2.7:40041", 7);
        let (other, mut filter) = opened(&second, "192.0.2.8:40041", 7);
        assert_ne!(own.tag, other.tag);
        let statement = format!("/* {} */ SELECT 1", own.tag).into_bytes();
        let session = Session { statement: Some(statement), ..session(9, "192.0.2.7:40041") };
        assert!(filter.is_own_session(&session), "the installation is the same");
        assert_eq!(filter.listed, None, "the process is another one");
    }

    #[test]
    fn connection_that_signs_in_is_own_by_its_socket_address() {
        let own = OwnConnections::default().register_connection("192.0.2.7:40021".parse().unwrap(), "clew", NODE);
        let mut filter = OwnSessionFilter::new(&own, "clew", NODE, None);
        let listed = |user: &str, host: &str, command: &str| {
            let (user, command) = (user.into(), command.into());
            Session { user, command, ..session(5, host) }
        };
        assert!(filter.is_own_session(&listed("unauthenticated user", "192.0.2.7:40021", "Connect")));
        assert!(filter.is_own_session(&listed("`clew`@`%`", "192.0.2.7:40021", "Connect")));
        assert!(filter.is_own_session(&listed("clew", "192.0.2.7:40021", "Sleep")), "just logged in");
        assert!(!filter.is_own_session(&listed("unauthenticated user", "client.test:40021", "Connect")));
        assert!(!filter.is_own_session(&listed("app", "192.0.2.7:40021", "Query")));
    }

    #[test]
    fn address_without_a_port_identifies_nothing() {
        let (own, mut filter) = opened(&OwnConnections::default(), "192.0.2.7:40031", 27);
        let statement = format!("/* {} */ SHOW FULL PROCESSLIST", own.tag);
        let itself = Session { statement: Some(statement.into_bytes()), ..session(27, "localhost") };
        assert!(filter.is_own_session(&itself));
        assert!(
            !filter.is_own_session(&session(27, "localhost")),
            "another session of a restarted server, over its Unix socket"
        );
    }
}
