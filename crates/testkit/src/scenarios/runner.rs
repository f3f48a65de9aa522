//! Builds a scenario on a server, and clears it away.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use std::{fmt, io};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{Scenario, Step};
use crate::flavor::Flavor;
use crate::raw_client::{Charset, RawSession};
use crate::server::Server;

/// For a session to get where it should be, and for a scenario to be cleared away.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks. InnoDB makes its table of transactions anew only for name did not read_state for a tenth of a second.
const POLL_INTERVAL: Duration = Duration::from_millis(120);
/// Error of a `KILL` whose session is gone already.
const NO_SUCH_THREAD: u16 = 1094;

/// Tables and routines that scenarios use. Ids leave gaps.
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
    // A DROP DATABASE that was killed in the middle leaves routines behind.
    "DROP PROCEDURE IF EXISTS shop.slow",
    "DROP FUNCTION IF EXISTS shop.slowly",
    "CREATE PROCEDURE shop.slow() DO SLEEP(600)",
    "CREATE FUNCTION shop.slowly() RETURNS INT NO SQL RETURN SLEEP(600)",
    "CREATE TRIGGER shop.counted BEFORE DELETE ON shop.s FOR EACH ROW SET @x = 1",
    "CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DO SET @x = 1",
];

/// Tablespaces of MySQL that somebody made.
const TABLESPACES: &str =
    "SELECT name FROM information_schema.innodb_tablespaces WHERE space_type = 'General' AND name <> 'mysql'";

/// Why a scenario is not there.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Its script is wrong.
    #[error("no step of a scenario: {0}")]
    Script(String),
    /// A session of it.
    #[error("session {name} could not {statement}: {source}")]
    Session {
        /// Its name.
        name: String,
        /// What it should do.
        statement: String,
        /// Why not.
        source: io::Error,
    },
    /// A session is not where it should be.
    #[error("{what} after {STEP_TIMEOUT:?}:\n{list}")]
    NotSettled {
        /// What is not so.
        what: String,
        /// The process list.
        list: String,
    },
    /// The server, asked how far things are.
    #[error(transparent)]
    Server(#[from] mysql_async::Error),
}

/// A scenario that stands on a server.
#[derive(Debug)]
pub struct BuiltScenario {
    sessions: BTreeMap<String, RawSession>,
    ids: BTreeMap<String, u64>,
}

impl Scenario {
    /// Builds it on a server, in the schema `shop`, which is made anew.
    pub async fn build(&self, server: &Server) -> Result<BuiltScenario, ScenarioError> {
        let mut control = server.connect().await?;
        create_schema(server.flavor(), &mut control).await?;
        let mut built = BuiltScenario { sessions: BTreeMap::new(), ids: BTreeMap::new() };
        let steps = self.steps()?;
        for &step in &steps {
            built.run_step(step, server, &mut control).await?;
        }
        let crowd =
            steps.iter().filter_map(|step| if let Step::BlockInCrowd(name, _) = step { Some(*name) } else { None });
        let crowd: Vec<u64> = crowd.filter_map(|name| built.ids.get(name).copied()).collect();
        wait_until(&mut control, "not everybody waits", |state| crowd.iter().all(|id| state.waiting.contains(id)))
            .await?;
        control.disconnect().await?;
        Ok(built)
    }
}

impl BuiltScenario {
    /// Thread ids by the sessions' names, also of those that hung up.
    #[must_use]
    pub fn ids(&self) -> &BTreeMap<String, u64> {
        &self.ids
    }

    /// The session of a name that is still open.
    pub fn session(&mut self, name: &str) -> Option<&mut RawSession> {
        self.sessions.get_mut(name)
    }

    async fn run_step(&mut self, step: Step<'_>, server: &Server, control: &mut Conn) -> Result<(), ScenarioError> {
        match step {
            Step::Run(name, statement) => {
                let session = self.open_session(name, server).await?;
                let done = match session.begin(statement.as_bytes()).await {
                    Ok(()) => timeout(STEP_TIMEOUT, session.answer()).await.unwrap_or_else(|_| Err(timeout_error())),
                    session_error => session_error,
                };
                done.map_err(|source| session_error(name, statement, source))
            }
            Step::Block(name, statement) => {
                let session = self.open_session(name, server).await?;
                session.begin(statement.as_bytes()).await.map_err(|source| session_error(name, statement, source))?;
                let id = session.id;
                wait_until(control, &format!("{name} does not wait for another session"), move |state| {
                    state.waiting.contains(&id)
                })
                .await
            }
            Step::BlockInCrowd(name, statement) => {
                let session = self.open_session(name, server).await?;
                session.begin(statement.as_bytes()).await.map_err(|source| session_error(name, statement, source))
            }
            Step::Start(name, statement) => {
                let session = self.open_session(name, server).await?;
                session.begin(statement.as_bytes()).await.map_err(|source| session_error(name, statement, source))?;
                let id = session.id;
                wait_until(control, &format!("{name} does not run"), move |state| state.sleeping.contains(&id)).await
            }
            Step::Disconnect(name) => {
                self.sessions.remove(name);
                let id = self.ids.get(name).copied().unwrap_or_default();
                wait_until(control, &format!("{name} is not gone"), move |state| !state.present.contains(&id)).await
            }
        }
    }

    async fn open_session(&mut self, name: &str, server: &Server) -> Result<&mut RawSession, ScenarioError> {
        if !self.sessions.contains_key(name) {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
            let opening = RawSession::open(address, "root", Some("shop"), Charset::Utf8mb4);
            let opened = timeout(STEP_TIMEOUT, opening).await.unwrap_or_else(|_| Err(timeout_error()));
            let session = opened.map_err(|source| session_error(name, "sign in", source))?;
            self.ids.insert(name.to_owned(), session.id);
            self.sessions.insert(name.to_owned(), session);
        }
        let gone = || session_error(name, "be found", timeout_error());
        self.sessions.get_mut(name).ok_or_else(gone)
    }

    /// Lets these sessions go on as an application would: each takes the answer for which it waits and hangs up, which lets go
    /// of whatever it holds. Those that got no answer within the limit stay, and are named.
    pub async fn finish(&mut self, waiters: &[&str], limit: Duration) -> Vec<String> {
        let mut finishing = JoinSet::new();
        for &name in waiters {
            if let Some(mut session) = self.sessions.remove(name) {
                let name = name.to_owned();
                finishing.spawn(async move {
                    let answer = timeout(limit, session.answer()).await;
                    (name, session, answer.is_ok())
                });
            }
        }
        let mut stuck = Vec::new();
        while let Some(Ok((name, session, answered))) = finishing.join_next().await {
            if !answered {
                stuck.push(name.clone());
                self.sessions.insert(name, session);
            }
        }
        stuck.sort();
        stuck
    }

    /// Ends all of it: sessions, prepared transactions. Who waits is ended first: were its blocker gone before, it would go on, and be
    /// killed in the middle of a change that leaves files behind.
    pub async fn clear(self, server: &Server) -> Result<(), ScenarioError> {
        let mut control = server.connect().await?;
        let ids: Vec<u64> = self.ids.values().copied().collect();
        let waiting = read_state(&mut control).await?.waiting;
        let (waiters, others): (Vec<u64>, Vec<u64>) = ids.iter().partition(|id| waiting.contains(id));
        kill(&mut control, &waiters).await?;
        wait_until_gone(&mut control, &waiters, false).await?;
        kill(&mut control, &others).await?;
        drop(self.sessions);
        wait_until_gone(&mut control, &ids, true).await?;
        control.disconnect().await?;
        Ok(())
    }
}

/// Waits until these sessions are gone. A session that waits for a prepared transaction may end only after that; one that has
/// prepared it must end before, and leaves it behind when it is gone from the list already: at the end, no prepared one may be left.
async fn wait_until_gone(control: &mut Conn, ids: &[u64], with_prepared: bool) -> Result<(), ScenarioError> {
    let start = Instant::now();
    loop {
        let state = read_state(control).await?;
        let prepared = roll_back_prepared(control).await?;
        if !ids.iter().any(|id| state.present.contains(id)) && (prepared == 0 || !with_prepared) {
            return Ok(());
        }
        if start.elapsed() > STEP_TIMEOUT {
            return Err(ScenarioError::NotSettled { what: "sessions are not gone".to_owned(), list: state.list });
        }
        sleep(POLL_INTERVAL).await;
    }
}

async fn kill(control: &mut Conn, ids: &[u64]) -> mysql_async::Result<()> {
    for id in ids {
        match control.query_drop(format!("KILL {id}")).await {
            Err(mysql_async::Error::Server(error)) if error.code == NO_SUCH_THREAD => {}
            other => other?,
        }
    }
    Ok(())
}

/// Makes the schema anew. What stands outside it, of an earlier scenario, is cleared away.
async fn create_schema(flavor: Flavor, control: &mut Conn) -> mysql_async::Result<()> {
    for statement in SETUP_STATEMENTS {
        control.query_drop(statement).await?;
    }
    if flavor == Flavor::MySql {
        for name in control.query::<String, _>(TABLESPACES).await? {
            control.query_drop(format!("DROP TABLESPACE {name}")).await?;
        }
    }
    Ok(())
}

/// Rolls prepared transactions back, once none belongs to a session any more. MariaDB would run_step a rollback by name earlier, while the
/// session that prepared it is just leaving it: the name would be gone, and the transaction stay with its locks. Returns how many
/// names there were.
async fn roll_back_prepared(control: &mut Conn) -> mysql_async::Result<usize> {
    let prepared: Vec<(i64, usize, usize, String)> = control.query("XA RECOVER").await?;
    let left = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = 0";
    let count = prepared.len();
    if control.query_first(left).await?.unwrap_or(0) < count {
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

/// Sessions as the server sees them, by thread id.
#[derive(Debug, Default)]
struct ServerState {
    present: Vec<u64>,
    waiting: Vec<u64>,
    sleeping: Vec<u64>,
    list: String,
}

async fn read_state(control: &mut Conn) -> mysql_async::Result<ServerState> {
    let mut state = ServerState::default();
    let in_innodb = "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
    state.waiting = control.query(in_innodb).await?;
    let rows: Vec<Row> = control.query("SHOW PROCESSLIST").await?;
    for row in &rows {
        let id: u64 = row.get(0).unwrap_or_default();
        let state: String = row.get::<Option<String>, _>(6).flatten().unwrap_or_default();
        state.present.push(id);
        if state == "User lock" || state.starts_with("Waiting for ") {
            state.waiting.push(id);
        }
        if state == "User sleep" {
            state.sleeping.push(id);
        }
        state.list = format!("{}{row:?}\n", state.list);
    }
    Ok(state)
}

async fn wait_until(
    control: &mut Conn,
    what: &str,
    condition: impl Fn(&ServerState) -> bool,
) -> Result<(), ScenarioError> {
    let start = Instant::now();
    loop {
        let state = read_state(control).await?;
        if condition(&state) {
            return Ok(());
        }
        if start.elapsed() > STEP_TIMEOUT {
            return Err(ScenarioError::NotSettled { what: what.to_owned(), list: state.list });
        }
        sleep(POLL_INTERVAL).await;
    }
}

fn session_error(name: &str, statement: impl fmt::Display, source: io::Error) -> ScenarioError {
    ScenarioError::Session { name: name.to_owned(), statement: statement.to_string(), source }
}

fn timeout_error() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}
