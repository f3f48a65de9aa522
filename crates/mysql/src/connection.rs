//! One connection for one read: opened, set up, and closed or killed, never used again.

use std::net::IpAddr;
use std::time::Duration;

use clew_model::{Failure, NodeUrl, TlsMode};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, DriverError, Error, FromRowError, Opts, OptsBuilder, Row};
use secrecy::ExposeSecret;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::given_up::KillUnlessDone;
use crate::limits::Limits;
use crate::own_sessions::{Own, OwnSession};
use crate::server::Flavor;
use crate::{failure, greeting, statements, tls};

/// Largest packet that is taken from a server: the largest that any server sends.
const MAX_PACKET: usize = 1 << 30;
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
    /// Whether another connection came before it, to learn that the server has no TLS.
    asked_for_tls: bool,
    guard: KillUnlessDone,
    _own: OwnSession,
}

impl Connection {
    /// Connects, signs in, learns which server this is and sets the session up.
    pub(crate) async fn open(node: &NodeUrl, limits: &Limits) -> Result<Self, Failure> {
        tls::install_provider();
        tls::check(node)?;
        let address = node.address();
        let opened = timeout(limits.connect, connect(node, &address)).await;
        match opened.unwrap_or_else(|_| Err(failure::timed_out(&address, "connecting", limits.connect))) {
            Ok(opened) => Self::set_up(opened, address, limits).await,
            Err(failure) => Err(greeting::explain(node, failure).await),
        }
    }

    async fn set_up(opened: Opened, address: String, limits: &Limits) -> Result<Self, Failure> {
        let Opened { mut driver, options, asked_for_tls } = opened;
        let reading = |error: Error| failure::from_driver(&error, &address);
        let signed_in = OwnSession::opened(&address, driver.id().into());
        let mut guard = KillUnlessDone::new(options.clone(), driver.id().into());
        let (version, id): (String, u64) = ask(&mut driver, statements::WHO_ARE_YOU)
            .await
            .map_err(reading)?
            .pop()
            .ok_or_else(|| reading(DriverError::ConnectionClosed.into()))?;
        guard.done();
        let guard = KillUnlessDone::new(options, id);
        // Behind a proxy the server knows the connection by another id than the greeting told.
        let own = OwnSession::opened(&address, id);
        drop(signed_in);
        let flavor = Flavor::from_version(&version);
        let seconds = limits.node.as_secs().max(1);
        let set_up = match flavor {
            Flavor::MySql => statements::set_up_mysql(seconds),
            Flavor::MariaDb => statements::set_up_mariadb(seconds),
        };
        driver.query_drop(set_up).await.map_err(reading)?;
        Ok(Self { driver, address, flavor, version, id, asked_for_tls, guard, _own: own })
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
        self.guard.done();
        let _ = timeout(Duration::from_secs(1), self.driver.disconnect()).await;
    }
}

/// The driver's own conversion panics on a row that is not as it was told; here that is an error like any other.
async fn ask<T: FromRow + Send + 'static>(driver: &mut Conn, statement: &str) -> Result<Vec<T>, Error> {
    let rows: Vec<Row> = driver.query(statement).await?;
    let converted: Result<Vec<T>, _> = rows.into_iter().map(T::from_row_opt).collect();
    converted.map_err(|FromRowError(row)| DriverError::FromRow { row }.into())
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
        .stmt_cache_size(0)
        .connect_attribute("program_name", PROGRAM_NAME)
        .ssl_opts(encrypted.then(|| tls::options(node)).flatten())
        .into()
}
