//! One connection for one read: opened, set up, and closed or killed, never used again.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use clew_model::{Failure, Limitation, NodeUrl, TlsMode};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, DriverError, Error, FromRowError, Opts, OptsBuilder};
use secrecy::ExposeSecret;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::budget::{Errand, Place};
use crate::clock::ClockReading;
use crate::given_up::KillUnlessDone;
use crate::limits::Limits;
use crate::own_sessions::{Own, OwnSession};
use crate::server::Flavor;
use crate::session_variables::SetUp;
use crate::{failure, greeting, statements, tls};

/// Largest packet that is taken from a server: the largest that any server sends.
const MAX_PACKET: usize = 1 << 30;
/// Silence after which the other end is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// What every connection of Clew calls itself.
pub(crate) const PROGRAM_NAME: &str = "clew";

/// A connection that is ready to be asked.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) driver: Conn,
    pub(crate) address: String,
    pub(crate) flavor: Flavor,
    /// As the server prints it.
    pub(crate) version: String,
    /// Its thread id on the server.
    pub(crate) id: u64,
    /// When its place at the node was had: what it costs counts from here.
    pub(crate) since: Instant,
    /// What statements of this connection could not read or set. Moved to the result of the read.
    pub(crate) limitations: Vec<Limitation>,
    /// The server's clock when it was last read over this connection.
    pub(crate) clock: Option<ClockReading>,
    /// Whether another connection came before it, to learn that the server has no TLS.
    asked_for_tls: bool,
    guard: KillUnlessDone,
    _own: OwnSession,
}

impl Connection {
    /// Waits for a place to read, connects, signs in, learns which server this is and sets the session up.
    pub(crate) async fn open(node: &NodeUrl, limits: &Limits) -> Result<Self, Failure> {
        Self::open_for(Errand::Reading, node, limits).await
    }

    /// The same in a place for this errand.
    pub(crate) async fn open_for(errand: Errand, node: &NodeUrl, limits: &Limits) -> Result<Self, Failure> {
        tls::install_provider();
        tls::check(node)?;
        let address = node.address();
        let until = Instant::now() + limits.node;
        let place = Place::take(&address, errand, limits.place()).await?;
        let opened = timeout(limits.connect, connect(node, &address)).await;
        match opened.unwrap_or_else(|_| Err(failure::timed_out(&address, "connecting", limits.connect))) {
            Ok(opened) => Self::set_up(opened, address, place, until).await,
            Err(failure) => Err(greeting::explain(node, failure).await),
        }
    }

    async fn set_up(opened: Opened, address: String, place: Place, until: Instant) -> Result<Self, Failure> {
        let Opened { mut driver, options, asked_for_tls } = opened;
        let reading = |error: Error| failure::from_driver(&error, &address);
        let signed_in = OwnSession::opened(&address, driver.id().into());
        let since = place.since();
        let mut guard = KillUnlessDone::new(options, driver.id().into(), place);
        let (version, id): (String, u64) = ask(&mut driver, statements::WHO_ARE_YOU)
            .await
            .map_err(reading)?
            .pop()
            .ok_or_else(|| reading(DriverError::ConnectionClosed.into()))?;
        // Behind a proxy the server knows the connection by another id than the greeting told.
        guard.known_as(id);
        let own = OwnSession::opened(&address, id);
        drop(signed_in);
        let flavor = Flavor::from_version(&version);
        let left = until.saturating_duration_since(Instant::now());
        let limitations = set_variables(&mut driver, SetUp::new(flavor, left)).await.map_err(reading)?;
        Ok(Self {
            driver,
            address,
            flavor,
            version,
            id,
            since,
            limitations,
            clock: None,
            asked_for_tls,
            guard,
            _own: own,
        })
    }

    /// All rows of a statement whose answer is small.
    pub(crate) async fn ask<T: FromRow + Send + 'static>(&mut self, statement: &str) -> Result<Vec<T>, Error> {
        ask(&mut self.driver, statement).await
    }

    /// Tells Clew's own sessions from all others that this connection reads.
    pub(crate) fn own(&self) -> Own {
        Own::new(&self.address, self.id, self.asked_for_tls)
    }

    /// The driver's error as a failure of this connection.
    pub(crate) fn failed(&self, error: &Error) -> Failure {
        failure::from_driver(error, &self.address)
    }

    /// Closes in order. The answer was read whole, so that a server which no longer takes a good-bye changes nothing.
    pub(crate) async fn close(mut self) {
        let _place = self.guard.done();
        let _ = timeout(Duration::from_secs(1), self.driver.disconnect()).await;
    }
}

/// Sets the session's variables. A variable that the server does not know or refuses is dropped; a refused one is a limitation.
pub(crate) async fn set_variables(driver: &mut Conn, mut set_up: SetUp) -> Result<Vec<Limitation>, Error> {
    'again: loop {
        for statement in set_up.statements() {
            match driver.query_drop(&statement).await {
                Err(error) if set_up.drop_refused(&statement, &error) => continue 'again,
                done => done?,
            }
        }
        return Ok(set_up.limitations());
    }
}

/// The driver's own conversion panics on a row that is not as it was told; here that is an error like any other.
async fn ask<T: FromRow + Send + 'static>(driver: &mut Conn, statement: &str) -> Result<Vec<T>, Error> {
    let mut rows = driver.query_iter(statement).await?;
    let mut converted = Vec::new();
    // Each as it comes: the driver's rows are many times larger than what is made of them.
    while let Some(row) = rows.next().await? {
        converted.push(T::from_row_opt(row).map_err(|FromRowError(row)| DriverError::FromRow { row })?);
    }
    rows.drop_result().await?;
    Ok(converted)
}

/// `tls=preferred` falls back to a plain connection only where the server says that it has no TLS, not where TLS fails.
async fn connect(node: &NodeUrl, address: &str) -> Result<Opened, Failure> {
    let addresses = resolve(node).await.map_err(|error| failure::unknown_host(address, &error))?;
    let mut options = self::options(node, addresses.clone(), true);
    let mut asked_for_tls = false;
    let mut opened = Conn::new(options.clone()).await;
    if node.tls == TlsMode::Preferred && matches!(opened, Err(Error::Driver(DriverError::NoClientSslFlagFromServer))) {
        options = self::options(node, addresses, false);
        asked_for_tls = true;
        opened = Conn::new(options.clone()).await;
    }
    let driver = opened.map_err(|error| failure::from_driver(&error, address))?;
    Ok(Opened { driver, options, asked_for_tls })
}

/// A connection that was signed in.
struct Opened {
    driver: Conn,
    options: Opts,
    asked_for_tls: bool,
}

async fn resolve(node: &NodeUrl) -> std::io::Result<Vec<IpAddr>> {
    Ok(lookup_host((node.host.as_str(), node.port)).await?.map(|address| address.ip()).collect())
}

/// What the driver would ask the server for by itself is given here: the first statement on the wire is Clew's.
fn options(node: &NodeUrl, addresses: Vec<IpAddr>, encrypted: bool) -> Opts {
    OptsBuilder::default()
        .ip_or_hostname(node.host.clone())
        .resolved_ips(Some(addresses))
        .tcp_port(node.port)
        .user(Some(node.user.clone()))
        .pass(node.password.as_ref().map(|password| password.expose_secret().to_owned()))
        .prefer_socket(false)
        .max_allowed_packet(Some(MAX_PACKET))
        .wait_timeout(Some(28_800))
        // A peer that is gone without a word is noticed at last, also by what the driver still reads of a read that was given up.
        .tcp_keepalive(Some(KEEPALIVE))
        .stmt_cache_size(0)
        .connect_attribute("program_name", PROGRAM_NAME)
        .ssl_opts(encrypted.then(|| tls::options(node)).flatten())
        .into()
}

#[cfg(test)]
mod tests {
    use clew_testkit::{Flavor, Gate, Server, ServerOptions};
    use futures_util::FutureExt;

    use super::*;

    const LIMITS: Limits = Limits { node: Duration::from_secs(40), connect: Duration::from_secs(20) };

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
    async fn the_place_of_a_read_that_is_given_up_is_free_once_the_server_has_ended_it() {
        for flavor in Flavor::ALL {
            let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
            let gate = Gate::before(&server, "KILL").await.unwrap();
            let node: NodeUrl = gate.url().parse().unwrap();
            let connection = Connection::open(&node, &LIMITS).await.unwrap();
            let (address, id) = (connection.address.clone(), connection.id);
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
}
