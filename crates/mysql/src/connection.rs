//! One connection for one read: opened, set up, and closed or killed, never used again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clew_model::{Failure, FailureKind, Limitation, NodeUrl};
use mysql_common::prelude::FromRow;
use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};

use crate::budget::{Errand, Place};
use crate::client::{Client, Error, Socket};
use crate::clock::ClockReading;
use crate::kill_on_drop::KillOnDrop;
use crate::limits::Limits;
use crate::own_sessions::{OwnSession, OwnSessionFilter};
use crate::server::Flavor;
use crate::server_instance::ServerInstance;
use crate::session_variables::SetUp;
use crate::{failure, refused_logins, server_instance, statements};

/// Error of a server whose connections are all taken.
const TOO_MANY_CONNECTIONS: u16 = 1040;
/// Delays before another attempt on such a server: most sessions of a burst end soon.
const RETRY_DELAYS: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(200)];

/// A signed-in connection, without a permit and without settings of its own.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) own: Arc<OwnSession>,
    account: String,
    /// Of the node.
    address: String,
    /// `CONNECTION_ID()`, once it was read; 0 before.
    pub(crate) id: u64,
}

impl Link {
    /// Connects, signs in, and reads the id of the connection.
    pub(crate) async fn open(node: &NodeUrl, max_bytes: u64) -> Result<Self, Failure> {
        let address = node.address();
        let mut link = Self::sign_in(node, &address, max_bytes).await?;
        link.identify().await.map_err(|error| failure::from_client(&error, &address))?;
        Ok(link)
    }

    async fn sign_in(node: &NodeUrl, address: &str, max_bytes: u64) -> Result<Self, Failure> {
        let lookup = lookup_host((node.host.as_str(), node.port)).await;
        let addresses: Vec<SocketAddr> = lookup.map_err(|error| failure::unknown_host(address, &error))?.collect();
        let mut delays = RETRY_DELAYS.iter();
        loop {
            match Self::attempt(node, &addresses, max_bytes).await {
                Err(Error::Server(error)) if error.code == TOO_MANY_CONNECTIONS => {
                    let Some(delay) = delays.next() else { return Err(failure::no_free_connection(&error, address)) };
                    sleep(*delay).await;
                }
                Err(error) => {
                    let failure = failure::from_client(&error, address);
                    if matches!(error, Error::Server(_)) && failure.kind == FailureKind::AccessDenied {
                        refused_logins::record(node, &failure);
                    }
                    return Err(failure);
                }
                Ok(link) => return Ok(link),
            }
        }
    }

    async fn attempt(node: &NodeUrl, addresses: &[SocketAddr], max_bytes: u64) -> Result<Self, Error> {
        let socket = Socket::connect(addresses).await?;
        let address = node.address();
        let own = Arc::new(OwnSession::opened(socket.local, &node.user, &address));
        let client = Client::sign_in(socket, node, own.tag().to_owned(), max_bytes).await?;
        Ok(Self { client, own, account: node.user.clone(), address, id: 0 })
    }

    /// Reads the version of the server and the id of the connection.
    async fn identify(&mut self) -> Result<String, Error> {
        let rows = self.client.query_all::<(String, u64)>(statements::SERVER_IDENTITY).await?;
        let (version, id) = rows.into_iter().next().ok_or(Error::Protocol("no row where there is always one"))?;
        self.own.has_id(id);
        self.id = id;
        Ok(version)
    }

    /// Recognises Clew's own sessions in lists that this connection reads.
    pub(crate) fn own_filter(&self) -> OwnSessionFilter {
        OwnSessionFilter::new(&self.own, &self.account, &self.address)
    }

    /// Whether the greeting's id is that of the session. A proxy sends an id of its own; a greeting holds the lower 32 bits.
    pub(crate) fn greeting_matches(&self) -> bool {
        u64::from(self.client.greeting_id) == self.id & u64::from(u32::MAX)
    }

    /// Whether what this connection lists, and what it kills, are sessions of the same server: no proxy stands between, and the list
    /// that the filter has seen shows this connection under its own id.
    pub(crate) fn is_direct(&self, filter: &OwnSessionFilter) -> bool {
        self.greeting_matches() && filter.listed() == Some(self.id)
    }
}

/// A connection that is ready for statements.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) link: Link,
    pub(crate) address: String,
    pub(crate) flavor: Flavor,
    /// As the server prints it.
    pub(crate) version: String,
    /// Its id on the server, by `CONNECTION_ID()`.
    pub(crate) id: u64,
    /// When its permit was granted: what it costs counts from here.
    pub(crate) since: Instant,
    /// What statements of this connection could not read or set. Moved to the result of the read.
    pub(crate) limitations: Vec<Limitation>,
    /// The server's clock when it was last read over this connection.
    pub(crate) clock: Option<ClockReading>,
    guard: KillOnDrop,
}

impl Connection {
    /// Waits for a permit to read, connects, signs in, detects which server this is and sets the session up.
    pub(crate) async fn open(node: &NodeUrl, limits: &Limits) -> Result<Self, Failure> {
        Self::open_for(Errand::Reading, node, limits).await
    }

    /// The same with a permit for this purpose.
    pub(crate) async fn open_for(errand: Errand, node: &NodeUrl, limits: &Limits) -> Result<Self, Failure> {
        let address = node.address();
        let until = Instant::now() + limits.node;
        let place = Place::take(&address, errand, limits.place()).await?;
        if let Some(failure) = refused_logins::failure_of(node, place.requested()) {
            return Err(failure);
        }
        let signed_in = timeout(limits.connect, Link::sign_in(node, &address, limits.bytes)).await;
        let link = signed_in.unwrap_or_else(|_| Err(failure::timed_out(&address, "connecting", limits.connect)))?;
        Self::set_up(link, node, place, until, limits.bytes).await
    }

    async fn set_up(
        mut link: Link,
        node: &NodeUrl,
        place: Place,
        until: Instant,
        max_bytes: u64,
    ) -> Result<Self, Failure> {
        let address = node.address();
        let reading = |error: Error| failure::from_client(&error, &address);
        let since = place.since();
        let guard = KillOnDrop::new(node.clone(), link.own.clone(), place, link.client.in_flight(), max_bytes);
        let version = link.identify().await.map_err(reading)?;
        let flavor = Flavor::from_version(&version);
        let left = until.saturating_duration_since(Instant::now());
        let limitations = set_variables(&mut link.client, SetUp::new(flavor, left)).await.map_err(reading)?;
        let id = link.id;
        Ok(Self { link, address, flavor, version, id, since, limitations, clock: None, guard })
    }

    /// All rows of a statement whose rows are small.
    pub(crate) async fn ask<T: FromRow + Send + 'static>(&mut self, statement: &str) -> Result<Vec<T>, Error> {
        self.link.client.query_all(statement).await
    }

    /// Recognises Clew's own sessions among those that this connection lists.
    pub(crate) fn own_filter(&self) -> OwnSessionFilter {
        self.link.own_filter()
    }

    /// Which server this is, and which run of it.
    pub(crate) async fn instance(&mut self) -> Result<ServerInstance, Failure> {
        server_instance::read(self).await
    }

    /// The client's error as a failure of this connection.
    pub(crate) fn failed(&self, error: &Error) -> Failure {
        failure::from_client(error, &self.address)
    }

    /// Closes in order. A failed `COM_QUIT` is ignored: every result was read.
    pub(crate) async fn close(mut self) {
        let _held = self.guard.done();
        let _ = timeout(Duration::from_secs(1), self.link.client.quit()).await;
    }
}

/// Sets the session's variables. A variable that the server does not know or refuses is dropped; a refused one is a limitation.
pub(crate) async fn set_variables(client: &mut Client, mut set_up: SetUp) -> Result<Vec<Limitation>, Error> {
    'again: loop {
        for statement in set_up.statements() {
            match client.execute(&statement).await {
                Err(error) if set_up.drop_refused(&statement, &error) => continue 'again,
                done => done?,
            }
        }
        return Ok(set_up.limitations());
    }
}

#[cfg(test)]
mod tests {
    use clew_testkit::{Flavor, Gate, Server, ServerOptions};
    use futures_util::FutureExt;

    use super::*;

    const LIMITS: Limits = Limits { node: Duration::from_secs(40), connect: Duration::from_secs(20), bytes: 1 << 30 };

    #[tokio::test]
    async fn settings_are_in_force_whatever_the_servers_own_are() {
        for flavor in Flavor::ALL {
            let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
            server
                .run(&[
                    "SET GLOBAL autocommit = 0",
                    "SET GLOBAL lock_wait_timeout = 3000",
                    "SET GLOBAL innodb_lock_wait_timeout = 3000",
                    "SET GLOBAL net_write_timeout = 3000",
                    "SET GLOBAL wait_timeout = 3000",
                ])
                .await
                .unwrap();
            let mut connection = Connection::open(&server.url().parse().unwrap(), &LIMITS).await.unwrap();
            let settings = "SELECT @@SESSION.autocommit, @@SESSION.lock_wait_timeout, @@SESSION.innodb_lock_wait_timeout, \
                 @@SESSION.net_write_timeout, @@SESSION.wait_timeout";
            let set: Vec<(u64, u64, u64, u64, u64)> = connection.ask(settings).await.unwrap();
            let [(autocommit, locks, rows, writing, idle)] = set[..] else { panic!("{set:?}") };
            assert_eq!((autocommit, locks, rows), (1, 1, 1), "{flavor}");
            // What is left of the limit, rounded up: connecting took some of it.
            assert!((1..=40).contains(&writing) && idle == writing, "{flavor}: {set:?}");
            let (limit, unit) = match flavor {
                Flavor::MySql => ("SELECT CAST(@@SESSION.max_execution_time AS CHAR)", 1000.0),
                Flavor::MariaDb => ("SELECT CAST(@@SESSION.max_statement_time AS CHAR)", 1.0),
            };
            let limit: String = connection.ask(limit).await.unwrap().remove(0);
            let seconds = limit.parse::<f64>().unwrap() / unit;
            #[allow(clippy::cast_precision_loss, reason = "a few seconds")]
            let left = writing as f64;
            assert!(seconds < left && seconds >= left - 1.0, "{flavor}: {limit} of {writing}");
            connection.close().await;
        }
    }

    #[tokio::test]
    async fn permit_of_an_abandoned_statement_is_released_once_the_server_has_ended_it() {
        for flavor in Flavor::ALL {
            let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
            let gate = Gate::before(&server, "KILL ").await.unwrap();
            let node: NodeUrl = gate.url().parse().unwrap();
            let mut connection = Connection::open(&node, &LIMITS).await.unwrap();
            let (address, id) = (connection.address.clone(), connection.id);
            let running = timeout(Duration::from_millis(300), connection.ask::<u64>("SELECT SLEEP(600)")).await;
            assert!(running.is_err(), "{flavor}: {running:?}");
            drop(connection);
            gate.reached().await;
            assert!(Place::take(&address, Errand::Reading, LIMITS.node).now_or_never().is_none(), "{flavor}");
            gate.open();
            let mut next = Connection::open(&node, &LIMITS).await.unwrap();
            let listed =
                format!("SELECT id FROM information_schema.processlist WHERE id = {id} AND command <> 'Killed'");
            assert!(next.ask::<u64>(&listed).await.unwrap().is_empty(), "{flavor}");
            next.close().await;
        }
    }

    #[tokio::test]
    async fn idle_connection_that_is_dropped_is_not_killed_but_closed() {
        for flavor in Flavor::ALL {
            let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
            let node: NodeUrl = server.url().parse().unwrap();
            let connection = Connection::open(&node, &LIMITS).await.unwrap();
            let address = connection.address.clone();
            drop(connection);
            assert!(Place::take(&address, Errand::Reading, LIMITS.node).now_or_never().is_some(), "{flavor}");
        }
    }
}
