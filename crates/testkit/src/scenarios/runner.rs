//! Runs the script of a lock wait scenario on a server and ends the sessions of the scenario afterward.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use std::{fmt, io};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{LockWaitScenario, ScenarioStep};
use crate::database_server::DatabaseServer;
use crate::flavor::Flavor;
use crate::raw_session::{ClientCharset, RawSession};

const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// The interval is longer than 100 ms, because InnoDB does not refresh `INNODB_TRX` within 100 ms of a read.
const SESSION_STATE_POLL_INTERVAL: Duration = Duration::from_millis(120);
const ER_NO_SUCH_THREAD: u16 = 1094;

/// Scenarios with InnoDB gap locks require the gaps between row ids.
const SETUP_STATEMENTS: [&str; 18] = [
    "DROP DATABASE IF EXISTS shop",
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT NOT NULL, u INT UNIQUE, KEY (v)) ENGINE = InnoDB",
    "INSERT INTO shop.t VALUES (1, 10, 100), (5, 50, 500), (10, 100, 1000), (20, 200, 2000)",
    "CREATE TABLE shop.s (id INT PRIMARY KEY, v INT NOT NULL) ENGINE = InnoDB",
    "INSERT INTO shop.s SELECT id, v FROM shop.t",
    "CREATE TABLE shop.parent (id INT PRIMARY KEY) ENGINE = InnoDB",
    "INSERT INTO shop.parent VALUES (1), (2)",
    "CREATE TABLE shop.child (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES parent (id)) ENGINE = InnoDB",
    "CREATE TABLE shop.numbered (id INT PRIMARY KEY AUTO_INCREMENT, v INT NOT NULL) ENGINE = InnoDB",
    "CREATE TABLE shop.old (id INT PRIMARY KEY, v INT NOT NULL) ENGINE = MyISAM",
    "INSERT INTO shop.old VALUES (1, 1), (2, 2)",
    // A killed DROP DATABASE leaves routines behind.
    "DROP PROCEDURE IF EXISTS shop.slow",
    "DROP FUNCTION IF EXISTS shop.slowly",
    "CREATE PROCEDURE shop.slow() DO SLEEP(600)",
    "CREATE FUNCTION shop.slowly() RETURNS INT NO SQL RETURN SLEEP(600)",
    "CREATE TRIGGER shop.counted BEFORE DELETE ON shop.s FOR EACH ROW SET @x = 1",
    "CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DO SET @x = 1",
];

const SELECT_USER_TABLESPACES_SQL: &str =
    "SELECT name FROM information_schema.innodb_tablespaces WHERE space_type = 'General' AND name <> 'mysql'";

/// Error returned if a lock wait scenario cannot be set up or torn down.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A line of the script is invalid.
    #[error("invalid scenario step: {0}")]
    Script(String),
    /// A session could not run a statement.
    #[error("session {name} cannot {statement}: {source}")]
    Session {
        /// Name of the session.
        name: String,
        /// Failed statement or operation.
        statement: String,
        /// Cause.
        source: io::Error,
    },
    /// A session did not reach its expected state within the time limit.
    #[error("{problem} after {STEP_TIMEOUT:?}:\n{list}")]
    NotSettled {
        /// Unmet condition.
        problem: String,
        /// Process list at the time limit.
        list: String,
    },
    /// A query failed on the control connection, which monitors and kills the scenario's sessions.
    #[error(transparent)]
    Server(#[from] mysql_async::Error),
}

/// A built scenario with open sessions.
#[derive(Debug)]
pub struct RunningScenario {
    sessions: BTreeMap<String, RawSession>,
    ids: BTreeMap<String, u64>,
}

impl LockWaitScenario {
    /// Creates the schema `shop` on a server and runs the scenario's script in it.
    pub async fn set_up(&self, server: &DatabaseServer) -> Result<RunningScenario, ScenarioError> {
        let mut control = server.connect_as_root().await?;
        create_schema(server.flavor(), &mut control).await?;
        let mut built = RunningScenario { sessions: BTreeMap::new(), ids: BTreeMap::new() };
        let steps = self.parse_steps()?;
        for &step in &steps {
            built.run_step(step, server, &mut control).await?;
        }
        let crowd = steps.iter().filter_map(|step| {
            if let ScenarioStep::BlockWithDelayedCheck(name, _) = step { Some(*name) } else { None }
        });
        let crowd: Vec<u64> = crowd.filter_map(|name| built.ids.get(name).copied()).collect();
        wait_until_session_states_match(&mut control, "not all blocked statements wait", |state| {
            crowd.iter().all(|id| state.waiting.contains(id))
        })
        .await?;
        control.disconnect().await?;
        Ok(built)
    }
}

impl RunningScenario {
    /// Returns the thread ids by session name, including those of disconnected sessions.
    #[must_use]
    pub fn thread_ids(&self) -> &BTreeMap<String, u64> {
        &self.ids
    }

    /// Returns an open session by name.
    pub fn session_mut(&mut self, name: &str) -> Option<&mut RawSession> {
        self.sessions.get_mut(name)
    }

    async fn run_step(
        &mut self,
        step: ScenarioStep<'_>,
        server: &DatabaseServer,
        control: &mut Conn,
    ) -> Result<(), ScenarioError> {
        match step {
            ScenarioStep::Run(name, statement) => {
                self.start_statement(name, statement, server).await?;
                let session = self.open_session(name, server).await?;
                let response = timeout(STEP_TIMEOUT, session.wait_for_response()).await;
                let result = response.unwrap_or_else(|_| Err(timeout_error()));
                result.map_err(|source| session_error(name, statement, source))
            }
            ScenarioStep::Block(name, statement) => {
                let id = self.start_statement(name, statement, server).await?;
                let problem = format!("{name} does not wait for another session");
                wait_until_session_states_match(control, &problem, move |state| state.waiting.contains(&id)).await
            }
            ScenarioStep::BlockWithDelayedCheck(name, statement) => {
                self.start_statement(name, statement, server).await.map(drop)
            }
            ScenarioStep::Start(name, statement) => {
                let id = self.start_statement(name, statement, server).await?;
                let problem = format!("{name} does not run");
                wait_until_session_states_match(control, &problem, move |state| state.sleeping.contains(&id)).await
            }
            ScenarioStep::Disconnect(name) => {
                self.sessions.remove(name);
                let id = self.ids.get(name).copied().unwrap_or_default();
                let problem = format!("{name} is not gone");
                wait_until_session_states_match(control, &problem, move |state| !state.present.contains(&id)).await
            }
        }
    }

    async fn start_statement(
        &mut self,
        name: &str,
        statement: &str,
        server: &DatabaseServer,
    ) -> Result<u64, ScenarioError> {
        let session = self.open_session(name, server).await?;
        let sent = session.send_statement(statement.as_bytes()).await;
        sent.map(|()| session.id).map_err(|source| session_error(name, statement, source))
    }

    async fn open_session(&mut self, name: &str, server: &DatabaseServer) -> Result<&mut RawSession, ScenarioError> {
        if !self.sessions.contains_key(name) {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
            let opening = RawSession::open(address, "root", Some("shop"), ClientCharset::Utf8mb4);
            let opened = timeout(STEP_TIMEOUT, opening).await.unwrap_or_else(|_| Err(timeout_error()));
            let session = opened.map_err(|source| session_error(name, "sign in", source))?;
            self.ids.insert(name.to_owned(), session.id);
            self.sessions.insert(name.to_owned(), session);
        }
        let gone = || session_error(name, "be found", timeout_error());
        self.sessions.get_mut(name).ok_or_else(gone)
    }

    /// Waits for the blocked statement of each waiter, then closes the waiter's session to release the session's locks.
    /// Returns the names of the sessions whose statements did not finish within `limit`. These sessions remain open.
    pub async fn close_sessions_of_finished_waiters(&mut self, waiters: &[&str], limit: Duration) -> Vec<String> {
        let mut finishing = JoinSet::new();
        for &name in waiters {
            if let Some(mut session) = self.sessions.remove(name) {
                let name = name.to_owned();
                finishing.spawn(async move {
                    let response = timeout(limit, session.wait_for_response()).await;
                    (name, session, response.is_ok())
                });
            }
        }
        let mut stuck = Vec::new();
        while let Some(Ok((name, session, has_response))) = finishing.join_next().await {
            if !has_response {
                stuck.push(name.clone());
                self.sessions.insert(name, session);
            }
        }
        stuck.sort();
        stuck
    }

    /// Kills all sessions, waiters before blockers, and rolls back all prepared transactions.
    /// If a blocker were killed first, its waiters would acquire the lock and resume.
    /// A waiter that is killed after its statement has resumed can leave orphaned files on the database server.
    pub async fn tear_down(self, server: &DatabaseServer) -> Result<(), ScenarioError> {
        let mut control = server.connect_as_root().await?;
        let ids: Vec<u64> = self.ids.values().copied().collect();
        let waiting = read_session_states(&mut control).await?.waiting;
        let (waiters, others): (Vec<u64>, Vec<u64>) = ids.iter().partition(|id| waiting.contains(id));
        kill_sessions(&mut control, &waiters).await?;
        wait_until_sessions_end(&mut control, &waiters, false).await?;
        kill_sessions(&mut control, &others).await?;
        drop(self.sessions);
        wait_until_sessions_end(&mut control, &ids, true).await?;
        control.disconnect().await?;
        Ok(())
    }
}

/// A killed waiter can stay in the process list until the prepared transaction that blocks it is rolled back.
async fn wait_until_sessions_end(control: &mut Conn, ids: &[u64], with_prepared: bool) -> Result<(), ScenarioError> {
    let start = Instant::now();
    loop {
        let state = read_session_states(control).await?;
        let prepared = roll_back_prepared_transactions(control).await?;
        if !ids.iter().any(|id| state.present.contains(id)) && (prepared == 0 || !with_prepared) {
            return Ok(());
        }
        if start.elapsed() > STEP_TIMEOUT {
            return Err(ScenarioError::NotSettled { problem: "sessions are not gone".to_owned(), list: state.list });
        }
        sleep(SESSION_STATE_POLL_INTERVAL).await;
    }
}

async fn kill_sessions(control: &mut Conn, ids: &[u64]) -> mysql_async::Result<()> {
    for id in ids {
        match control.query_drop(format!("KILL {id}")).await {
            Err(mysql_async::Error::Server(error)) if error.code == ER_NO_SUCH_THREAD => {}
            other => other?,
        }
    }
    Ok(())
}

/// Also drops the tablespaces of earlier scenarios, which `DROP DATABASE` does not drop.
async fn create_schema(flavor: Flavor, control: &mut Conn) -> mysql_async::Result<()> {
    for statement in SETUP_STATEMENTS {
        control.query_drop(statement).await?;
    }
    if flavor == Flavor::MySql {
        for name in control.query::<String, _>(SELECT_USER_TABLESPACES_SQL).await? {
            control.query_drop(format!("DROP TABLESPACE {name}")).await?;
        }
    }
    Ok(())
}

/// Does nothing if a session still owns one of the prepared transactions.
/// Returns the number of prepared transactions that `XA RECOVER` listed before the rollback.
/// While a session disconnects, MariaDB accepts `XA ROLLBACK`, but the transaction loses its XID and keeps its locks.
async fn roll_back_prepared_transactions(control: &mut Conn) -> mysql_async::Result<usize> {
    let prepared: Vec<(i64, usize, usize, String)> = control.query("XA RECOVER").await?;
    let detached = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = 0";
    let count = prepared.len();
    if control.query_first(detached).await?.unwrap_or(0) < count {
        return Ok(count);
    }
    for (_, length, _, name) in prepared {
        match control.query_drop(format!("XA ROLLBACK '{}'", name.get(..length).unwrap_or_default())).await {
            Err(mysql_async::Error::Server(_)) => {}
            other => other?,
        }
    }
    Ok(count)
}

#[derive(Debug, Default)]
struct SessionStates {
    present: Vec<u64>,
    waiting: Vec<u64>,
    sleeping: Vec<u64>,
    list: String,
}

async fn read_session_states(control: &mut Conn) -> mysql_async::Result<SessionStates> {
    let mut state = SessionStates::default();
    let in_innodb = "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
    state.waiting = control.query(in_innodb).await?;
    let rows: Vec<Row> = control.query("SHOW PROCESSLIST").await?;
    for row in &rows {
        let id: u64 = row.get(0).unwrap_or_default();
        let session_state: String = row.get::<Option<String>, _>(6).flatten().unwrap_or_default();
        state.present.push(id);
        if session_state == "User lock" || session_state.starts_with("Waiting for ") {
            state.waiting.push(id);
        }
        if session_state == "User sleep" {
            state.sleeping.push(id);
        }
        state.list = format!("{}{row:?}\n", state.list);
    }
    Ok(state)
}

async fn wait_until_session_states_match(
    control: &mut Conn,
    problem: &str,
    condition: impl Fn(&SessionStates) -> bool,
) -> Result<(), ScenarioError> {
    let start = Instant::now();
    loop {
        let state = read_session_states(control).await?;
        if condition(&state) {
            return Ok(());
        }
        if start.elapsed() > STEP_TIMEOUT {
            return Err(ScenarioError::NotSettled { problem: problem.to_owned(), list: state.list });
        }
        sleep(SESSION_STATE_POLL_INTERVAL).await;
    }
}

fn session_error(name: &str, statement: impl fmt::Display, source: io::Error) -> ScenarioError {
    ScenarioError::Session { name: name.to_owned(), statement: statement.to_string(), source }
}

fn timeout_error() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no response in time")
}
