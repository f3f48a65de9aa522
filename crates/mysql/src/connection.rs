//! Opens and closes connections to monitored servers and enforces timeouts for operations on these connections.
//! Clew opens a new connection for each read operation.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use clew_model::{Failure, FailureKind, Limitation, NodeUrl, Session};
use futures_util::FutureExt;
use jiff::civil::DateTime;
use mysql_common::prelude::FromRow;
use tokio::time::{self, timeout, timeout_at};

use crate::client::{Client, Error, ServerError};
use crate::clock::{self, ClockReading, TimestampAge};
use crate::connection_limit::{ConnectionPermit, ConnectionPurpose};
use crate::connector::NodeConnector;
use crate::flavor::Flavor;
use crate::kill_on_drop::KillOnDropGuard;
use crate::process_list::ProcessListReader;
use crate::raw_connection::RawConnection;
use crate::server_instance::ServerInstance;
use crate::session_variables::SetStatementBuilder;
use crate::{failure, limitations, server_instance, sql_statements};
use sql_statements::ER_SPECIFIC_ACCESS_DENIED_ERROR;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) raw: RawConnection,
    pub(crate) address: String,
    pub(crate) flavor: Flavor,
    pub(crate) version: String,
    /// Value of `CONNECTION_ID()`.
    pub(crate) id: u64,
    /// Time at which the connection permit was acquired. Clew measures the duration of a read operation from this time.
    pub(crate) since: Instant,
    pub(crate) limitations: Vec<Limitation>,
    pub(crate) clock: Option<ClockReading>,
    guard: KillOnDropGuard,
}

impl Connection {
    pub(crate) async fn open(node: &NodeUrl, connector: &NodeConnector) -> Result<Self, Failure> {
        Self::open_for_purpose(ConnectionPurpose::Reading, node, connector).await
    }

    pub(crate) async fn open_for_purpose(
        purpose: ConnectionPurpose,
        node: &NodeUrl,
        connector: &NodeConnector,
    ) -> Result<Self, Failure> {
        let NodeConnector { limits, registry } = connector;
        let address = node.address();
        let deadline = Instant::now() + limits.read_timeout;
        let permit = registry.permits.acquire(&address, purpose, limits.read_timeout / 2).await?;
        if let Some(failure) = registry.refused_logins.find_recent_login_failure(node, permit.requested_at) {
            return Err(failure);
        }
        let connecting = timeout(limits.connect_timeout, RawConnection::connect(node, &address, connector));
        let raw = connecting.await.unwrap_or_else(|_| {
            let limit = limits.connect_timeout.as_secs_f32();
            let detail = format!("{address}: no response within {limit} s while connecting");
            Err(Failure::new(FailureKind::TimedOut, detail))
        })?;
        Self::set_up_connection(raw, node, connector, permit, deadline).await
    }

    /// Opens a connection for reading, runs `operation` and closes the connection, all within the read timeout.
    /// If `operation` fails, Clew drops the connection and kills the connection's running statement on the server.
    /// `doing` describes the operation in error messages, for example `reading lock waits`.
    pub(crate) async fn run<T>(
        node: &NodeUrl,
        connector: &NodeConnector,
        doing: &str,
        operation: impl AsyncFnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        Self::run_for_purpose(ConnectionPurpose::Reading, node, connector, doing, operation).await
    }

    pub(crate) async fn run_for_purpose<T>(
        purpose: ConnectionPurpose,
        node: &NodeUrl,
        connector: &NodeConnector,
        doing: &str,
        operation: impl AsyncFnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let running = async {
            let mut connection = Self::open_for_purpose(purpose, node, connector).await?;
            let result = operation(&mut connection).await?;
            connection.close().await;
            Ok(result)
        };
        run_with_deadline(node, connector, time::Instant::now() + connector.limits.read_timeout, doing, running).await
    }

    async fn set_up_connection(
        mut raw: RawConnection,
        node: &NodeUrl,
        connector: &NodeConnector,
        permit: ConnectionPermit,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let address = node.address();
        let reading = |error: Error| failure::failure_from_client_error(&error, &address);
        let since = permit.acquired_at;
        let in_flight = raw.client.in_flight.clone();
        let mut guard = KillOnDropGuard::new(node.clone(), connector.clone(), raw.own.clone(), permit, in_flight);
        let version = raw
            .read_version_and_connection_id()
            .await
            .map_err(|error| failure::failure_after_login(&error, &address))?;
        guard.set_server_host(raw.server_host.clone());
        let flavor = Flavor::from_version(&version);
        let left = deadline.saturating_duration_since(Instant::now());
        let mut limitations =
            set_session_variables(&mut raw.client, SetStatementBuilder::new(flavor, left)).await.map_err(reading)?;
        limitations
            .extend(connector.registry.abandoned_statements.find_abandoned_statement_limitation(&address, &node.user));
        let id = raw.id;
        Ok(Self { raw, address, flavor, version, id, since, limitations, clock: None, guard })
    }

    pub(crate) async fn query_all_rows<T: FromRow>(&mut self, statement: &str) -> Result<Vec<T>, Error> {
        self.raw.client.query_all_rows(statement).await
    }

    /// Runs a query and returns all rows. Converts client and server errors to [`Failure`].
    pub(crate) async fn read_rows<T: FromRow>(&mut self, statement: &str) -> Result<Vec<T>, Failure> {
        self.query_all_rows(statement).await.map_err(|error| self.failure_from_client_error(&error))
    }

    /// Like [`Self::read_rows`], but returns an error response from the server in the inner `Result`.
    /// The server returns an error response if, for example, a privilege is missing or a statement times out.
    pub(crate) async fn try_read_rows<T: FromRow>(
        &mut self,
        statement: &str,
    ) -> Result<Result<Vec<T>, ServerError>, Failure> {
        match self.query_all_rows(statement).await {
            Err(Error::Server(error)) => Ok(Err(error)),
            result => result.map(Ok).map_err(|error| self.failure_from_client_error(&error)),
        }
    }

    /// Like [`Self::read_rows`], but returns server error codes in `expected` as the inner `Err`.
    pub(crate) async fn read_rows_or_error_code<T: FromRow>(
        &mut self,
        statement: &str,
        expected: &[u16],
    ) -> Result<Result<Vec<T>, u16>, Failure> {
        match self.query_all_rows(statement).await {
            Err(Error::Server(error)) if expected.contains(&error.code) => Ok(Err(error.code)),
            result => result.map(Ok).map_err(|error| self.failure_from_client_error(&error)),
        }
    }

    /// Executes a statement and returns its rows, or an empty list after any server error except a timeout.
    pub(crate) async fn read_rows_ignoring_server_errors<T: FromRow>(
        &mut self,
        statement: &str,
    ) -> Result<Vec<T>, Failure> {
        match self.query_all_rows(statement).await {
            Err(Error::Server(error)) if !failure::is_server_timeout(&error) => Ok(Vec::new()),
            result => result.map_err(|error| self.failure_from_client_error(&error)),
        }
    }

    /// Reads the process list, truncates each row to `max_row_bytes`, and calls `visit` for each session.
    /// Adds a note about unreliable data to `limitations` if the process list contains invalid idle times.
    pub(crate) async fn for_each_session(
        &mut self,
        max_row_bytes: usize,
        mut visit: impl FnMut(Session) -> Result<(), Error>,
    ) -> Result<(), Failure> {
        let reading = async {
            let mut rows =
                ProcessListReader::open(&mut self.raw.client, sql_statements::PROCESS_LIST_QUERY, max_row_bytes)
                    .await?;
            while let Some(session) = rows.next().await? {
                visit(session)?;
            }
            Ok::<_, Error>(rows.describe_invalid_idle_times())
        };
        let limitation = match reading.await {
            Ok(limitation) => limitation,
            Err(error) => return Err(self.explain_process_list_error(&error).await),
        };
        self.limitations.extend(limitation);
        Ok(())
    }

    /// An account without a user name needs the PROCESS privilege to read the process list.
    pub(crate) async fn explain_process_list_error(&mut self, error: &Error) -> Failure {
        match error {
            Error::Server(error) if error.code == ER_SPECIFIC_ACCESS_DENIED_ERROR => {
                let account = match self.read_rows::<String>(sql_statements::CURRENT_ACCOUNT_QUERY).await {
                    Ok(rows) => rows.into_iter().next().unwrap_or_default(),
                    Err(failure) => return failure,
                };
                let fix = limitations::build_grant_statement("PROCESS ON *.*", &account);
                let detail = format!("{}: {error}; the account is {account}", self.address);
                Failure::with_fix(FailureKind::MissingPrivilege, detail, fix)
            }
            error => self.failure_from_client_error(error),
        }
    }

    pub(crate) async fn read_server_instance(&mut self) -> Result<ServerInstance, Failure> {
        server_instance::read_server_instance(&mut self.raw.client, self.flavor, &self.address).await
    }

    /// Reads the server's clock. Returns `None` if the server does not report a valid time.
    pub(crate) async fn read_clock(&mut self) -> Result<Option<ClockReading>, Failure> {
        let reading = clock::read_clock(&mut self.raw.client).await;
        self.clock = reading.map_err(|error| self.failure_from_client_error(&error))?;
        Ok(self.clock)
    }

    pub(crate) async fn compute_timestamp_ages(
        &mut self,
        clock: &ClockReading,
        times: Vec<DateTime>,
    ) -> Result<HashMap<DateTime, TimestampAge>, Failure> {
        let ages = clock::compute_timestamp_ages(&mut self.raw.client, clock, times).await;
        ages.map_err(|error| self.failure_from_client_error(&error))
    }

    /// MySQL truncates statements in the process list if `performance_schema_show_processlist` is on.
    /// Returns false on MariaDB, which does not have the variable `performance_schema_show_processlist`.
    pub(crate) async fn truncates_statement_text(&mut self) -> Result<bool, Failure> {
        if self.flavor != Flavor::MySql {
            return Ok(false);
        }
        let rows = self.try_read_rows::<Option<String>>(sql_statements::SHOW_PROCESSLIST_SETTING_QUERY).await?;
        Ok(rows.is_ok_and(|rows| matches!(rows.first(), Some(Some(value)) if matches!(value.as_str(), "1" | "ON"))))
    }

    pub(crate) fn failure_from_client_error(&self, error: &Error) -> Failure {
        failure::failure_from_client_error(error, &self.address)
    }

    /// Closes the connection and ignores errors, because all results have already been read.
    pub(crate) async fn close(mut self) {
        let _permit = self.guard.disarm();
        let _ = timeout(Duration::from_secs(1), self.raw.client.quit()).await;
    }
}

/// Returns one `Limitation` for each session variable that the server refused to set.
pub(crate) async fn set_session_variables(
    client: &mut Client,
    mut set_up: SetStatementBuilder,
) -> Result<Vec<Limitation>, Error> {
    'again: loop {
        for statement in set_up.build_set_statements() {
            match client.execute(&statement).await {
                Err(error) if set_up.remove_refused_variable(&statement, &error) => continue 'again,
                done => done?,
            }
        }
        return Ok(set_up.describe_refused_session_variables());
    }
}

/// Runs `operation`. Returns an error if the operation does not finish before `deadline`.
/// `doing` describes the operation in error messages, for example `reading lock waits`.
pub(crate) fn run_with_deadline<T>(
    node: &NodeUrl,
    connector: &NodeConnector,
    deadline: time::Instant,
    doing: &str,
    operation: impl Future<Output = Result<T, Failure>>,
) -> impl Future<Output = Result<T, Failure>> {
    // The operation is boxed, because its future is large and becomes part of several nested futures.
    let operation = Box::pin(catch_panic(node, operation));
    let limit = connector.limits.read_timeout.as_secs_f32();
    let timed_out = move |_| {
        let detail = format!(
            "{}: no response within {limit} s while {doing}; behind a proxy, the statement may still run on the server",
            node.address()
        );
        Err(Failure::new(FailureKind::TimedOut, detail))
    };
    async move { timeout_at(deadline, operation).await.unwrap_or_else(timed_out) }
}

/// Converts a panic in the packet decoder of `mysql_common` to a `Failure`.
async fn catch_panic<T>(node: &NodeUrl, operation: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let panicked = |_| {
        Err(Failure::new(FailureKind::NotMysql, format!("{}: the server violated the MySQL protocol", node.address())))
    };
    AssertUnwindSafe(operation).catch_unwind().await.unwrap_or_else(panicked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_limits::{ReadLimits, ReadSizeLimits};
    use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor, RewritingProxy};

    const READ_TIMEOUT: Duration = Duration::from_secs(40);

    fn connector() -> NodeConnector {
        let limits = ReadLimits {
            read_timeout: READ_TIMEOUT,
            connect_timeout: Duration::from_secs(20),
            bytes: ReadSizeLimits::DEFAULT,
        };
        NodeConnector { limits, ..NodeConnector::default() }
    }

    #[tokio::test]
    async fn session_variables_override_server_defaults() {
        for flavor in Flavor::ALL {
            let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
            server
                .run_statements(&[
                    "SET GLOBAL autocommit = 0",
                    "SET GLOBAL lock_wait_timeout = 3000",
                    "SET GLOBAL innodb_lock_wait_timeout = 3000",
                    "SET GLOBAL net_write_timeout = 3000",
                    "SET GLOBAL wait_timeout = 3000",
                ])
                .await
                .unwrap();
            let mut connection = Connection::open(&server.url().parse().unwrap(), &connector()).await.unwrap();
            let settings = "SELECT @@SESSION.autocommit, @@SESSION.lock_wait_timeout, @@SESSION.innodb_lock_wait_timeout, \
                 @@SESSION.net_write_timeout, @@SESSION.wait_timeout";
            let set: Vec<(u64, u64, u64, u64, u64)> = connection.query_all_rows(settings).await.unwrap();
            let [(autocommit, locks, rows, writing, idle)] = set[..] else { panic!("{set:?}") };
            assert_eq!((autocommit, locks, rows), (1, 1, 1), "{flavor}");
            // The remaining time is rounded up, and connecting has used part of the time limit.
            assert!((1..=40).contains(&writing) && idle == writing, "{flavor}: {set:?}");
            let (limit, unit) = match flavor {
                Flavor::MySql => ("SELECT CAST(@@SESSION.max_execution_time AS CHAR)", 1000.0),
                Flavor::MariaDb => ("SELECT CAST(@@SESSION.max_statement_time AS CHAR)", 1.0),
            };
            let limit: String = connection.query_all_rows(limit).await.unwrap().remove(0);
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
            let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
            let gate = RewritingProxy::start_with_held_statement(&server, "KILL ").await.unwrap();
            let (node, connector): (NodeUrl, _) = (gate.url("root").parse().unwrap(), connector());
            let mut connection = Connection::open(&node, &connector).await.unwrap();
            let (address, id) = (connection.address.clone(), connection.id);
            let running =
                timeout(Duration::from_millis(300), connection.query_all_rows::<u64>("SELECT SLEEP(600)")).await;
            assert!(running.is_err(), "{flavor}: {running:?}");
            drop(connection);
            gate.wait_until_packet_is_held().await;
            let permits = &connector.registry.permits;
            let permit = permits.acquire(&address, ConnectionPurpose::Reading, READ_TIMEOUT).now_or_never();
            assert!(permit.is_none(), "{flavor}");
            gate.release_held_packets();
            let mut next = Connection::open(&node, &connector).await.unwrap();
            let listed =
                format!("SELECT id FROM information_schema.processlist WHERE id = {id} AND command <> 'Killed'");
            assert!(next.query_all_rows::<u64>(&listed).await.unwrap().is_empty(), "{flavor}");
            next.close().await;
        }
    }

    #[tokio::test]
    async fn dropped_idle_connection_is_closed_without_a_kill() {
        for flavor in Flavor::ALL {
            let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
            let (node, connector): (NodeUrl, _) = (server.url().parse().unwrap(), connector());
            let connection = Connection::open(&node, &connector).await.unwrap();
            let address = connection.address.clone();
            drop(connection);
            let permits = &connector.registry.permits;
            let permit = permits.acquire(&address, ConnectionPurpose::Reading, READ_TIMEOUT).now_or_never();
            assert!(permit.is_some(), "{flavor}");
        }
    }
}
