//! Opens 60 test sessions with predefined statements and transactions.

mod session_definitions;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tokio::time::{Instant, sleep};

use crate::database_server::DatabaseServer;
use crate::flavor::Flavor;
use crate::raw_session::RawSession;
use session_definitions::SessionDefinition;

/// Session that a test expects in the process list.
#[derive(Debug, Clone)]
pub struct ExpectedSession {
    /// Thread id.
    pub id: u64,
    /// Account name.
    pub user: String,
    /// Client address, as the process list shows it.
    pub host: String,
    /// Default database.
    pub database: Option<String>,
    /// `Sleep` or `Query`.
    pub command: &'static str,
    /// Value of the column `State` in the process list, such as `User sleep` or an empty string.
    pub state: &'static str,
    /// Statement text in the process list, without CSV escaping.
    pub statement: Option<Vec<u8>>,
    /// Open transaction.
    pub transaction: Option<ExpectedTransaction>,
    /// If true, the test opens the session several seconds before the sessions with `is_old` set to false.
    pub is_old: bool,
}

/// Expected transaction of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedTransaction {
    /// `RUNNING` or `LOCK WAIT`.
    pub state: &'static str,
    /// Number of modified rows.
    pub rows_modified: u64,
}

/// Transaction data that tests read from the server because the values are unpredictable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservedTransaction {
    /// Transaction id.
    pub id: u64,
    /// Estimated number of locked rows, as reported by the server.
    pub rows_locked: u64,
    /// Number of locked tables.
    pub tables_locked: u64,
}

/// Test sessions with predefined statements and transactions. Dropping `PredefinedSessions` closes the sessions.
/// After their connections close, sessions that execute `SLEEP()` remain on the server for several seconds.
#[derive(Debug)]
pub struct PredefinedSessions {
    /// Expected rows of all sessions.
    pub expected: Vec<ExpectedSession>,
    open: Vec<RawSession>,
}

const SESSION_SETUP_TIMEOUT: Duration = Duration::from_secs(30);

impl PredefinedSessions {
    /// Number of sessions.
    pub const SESSION_COUNT: usize = 60;
    /// Minimum number of seconds by which sessions marked `is_old` are older than all other sessions.
    pub const MIN_SESSION_AGE_DIFFERENCE_SECONDS: u64 = 6;

    /// Opens all predefined sessions and waits until each session has its expected state.
    /// The server must have no other sessions.
    pub async fn open(server: &DatabaseServer) -> io::Result<Self> {
        create_schema(server).await.map_err(io::Error::other)?;
        let mut sessions = Self { expected: Vec::new(), open: Vec::new() };
        let definitions = session_definitions::define_all_sessions(server.flavor());
        for definition in definitions.iter().filter(|definition| definition.is_old) {
            sessions.open_session(server, definition).await?;
        }
        sessions.wait_for_expected_session_states(server).await?;
        sleep(Duration::from_secs(Self::MIN_SESSION_AGE_DIFFERENCE_SECONDS)).await;
        for definition in definitions.iter().filter(|definition| !definition.is_old) {
            sessions.open_session(server, definition).await?;
        }
        sessions.wait_for_expected_session_states(server).await?;
        Ok(sessions)
    }

    async fn open_session(&mut self, server: &DatabaseServer, definition: &SessionDefinition) -> io::Result<()> {
        let host = if definition.ipv6 { Ipv6Addr::LOCALHOST.into() } else { IpAddr::from(Ipv4Addr::LOCALHOST) };
        let address = SocketAddr::from((host, server.port()));
        let mut session = RawSession::open(address, definition.user, definition.database, definition.charset).await?;
        for statement in definition.before {
            if statement.starts_with("SELECT") {
                session.query(statement).await?;
            } else {
                session.execute(statement).await?;
            }
        }
        if let Some(statement) = &definition.statement {
            session.send_statement(&statement.sent).await?;
        }
        self.expected.push(ExpectedSession {
            id: session.id,
            user: definition.user.to_owned(),
            // MySQL and MariaDB write IPv6 addresses without brackets.
            host: format!("{}:{}", session.address.ip(), session.address.port()),
            database: definition.database.map(ToOwned::to_owned),
            command: if definition.statement.is_some() { "Query" } else { "Sleep" },
            state: definition.state,
            statement: definition.statement.as_ref().map(|statement| statement.expected.clone()),
            transaction: definition.transaction,
            is_old: definition.is_old,
        });
        self.open.push(session);
        Ok(())
    }

    async fn wait_for_expected_session_states(&self, server: &DatabaseServer) -> io::Result<()> {
        let running = self.expected.iter().filter(|session| session.statement.is_some()).count();
        let waiting =
            self.expected.iter().filter_map(|session| session.transaction).filter(|trx| trx.state == "LOCK WAIT");
        let waiting = waiting.count();
        let start = Instant::now();
        loop {
            let (runs, waits) = count_running_statements_and_lock_waits(server).await.map_err(io::Error::other)?;
            if (runs, waits) == (running, waiting) {
                return Ok(());
            }
            if start.elapsed() > SESSION_SETUP_TIMEOUT {
                let list = format_process_list(server).await.map_err(io::Error::other)?;
                return Err(io::Error::other(format!(
                    "{runs} of {running} statements run and {waits} of {waiting} transactions wait after {SESSION_SETUP_TIMEOUT:?}:\n{list}"
                )));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Queries the ids, locked rows and locked tables of all open transactions.
    pub async fn query_open_transactions(
        &self,
        server: &DatabaseServer,
    ) -> mysql_async::Result<HashMap<u64, ObservedTransaction>> {
        let mut connection = server.connect_as_root().await?;
        let rows: Vec<(u64, u64, u64, u64)> = connection
            .query("SELECT trx_mysql_thread_id, trx_id, trx_rows_locked, trx_tables_locked FROM information_schema.innodb_trx")
            .await?;
        connection.disconnect().await?;
        let transaction = |id, rows_locked, tables_locked| ObservedTransaction { id, rows_locked, tables_locked };
        Ok(rows.into_iter().map(|(session, id, rows, tables)| (session, transaction(id, rows, tables))).collect())
    }
}

async fn create_schema(server: &DatabaseServer) -> mysql_async::Result<()> {
    let mut connection = server.connect_as_root().await?;
    for statement in session_definitions::SETUP_STATEMENTS {
        connection.query_drop(statement).await?;
    }
    for user in session_definitions::USER_NAMES {
        let account = format!("'{}'@'%'", user.replace('\'', "''"));
        connection.query_drop(format!("CREATE USER {account}")).await?;
        connection.query_drop(format!("GRANT ALL ON *.* TO {account}")).await?;
    }
    connection.disconnect().await
}

/// On MySQL, reads `performance_schema`, because `information_schema` omits some running statements.
async fn count_running_statements_and_lock_waits(server: &DatabaseServer) -> mysql_async::Result<(usize, usize)> {
    let sleeping = match server.flavor() {
        Flavor::MariaDb => "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'",
        Flavor::MySql => "SELECT COUNT(*) FROM performance_schema.threads WHERE processlist_state = 'User sleep'",
    };
    let waiting = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
    let mut connection = server.connect_as_root().await?;
    let sleeps: Option<usize> = connection.query_first(sleeping).await?;
    let waits: Option<usize> = connection.query_first(waiting).await?;
    connection.disconnect().await?;
    let waits = waits.unwrap_or(0);
    Ok((sleeps.unwrap_or(0) + waits, waits))
}

async fn format_process_list(server: &DatabaseServer) -> mysql_async::Result<String> {
    let mut connection = server.connect_as_root().await?;
    let rows: Vec<mysql_async::Row> = connection.query("SHOW PROCESSLIST").await?;
    connection.disconnect().await?;
    Ok(rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>().join("\n"))
}
