//! Opens thousands of sessions, many with open transactions or lock waits.

use std::io;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::database_server::DatabaseServer;
use crate::idle_sessions::{IdleSessions, open_idle_sessions};
use crate::raw_session::RawSession;

/// Numbers of benchmark sessions: in total, with an open transaction, and waiting for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BenchmarkSessionCounts {
    /// Total number of sessions.
    pub sessions: usize,
    /// Number of sessions with an open transaction, including sessions that wait for a lock.
    pub transactions: usize,
    /// Number of sessions that wait for row locks held by the same session.
    pub waiters: usize,
}

/// Session counts for benchmarks. The server variable `max_connections` must exceed 10,000.
pub const BENCHMARK_SESSION_COUNTS: BenchmarkSessionCounts =
    BenchmarkSessionCounts { sessions: 10_000, transactions: 2_500, waiters: 100 };

/// Sessions that put load on a database server. Dropping the value closes the sessions.
#[derive(Debug)]
pub struct BenchmarkSessions {
    sessions: IdleSessions,
    size: BenchmarkSessionCounts,
}

const BLOCKED_WAITERS_TIMEOUT: Duration = Duration::from_mins(1);

const SETUP_STATEMENTS: [&str; 4] = [
    "SET GLOBAL innodb_lock_wait_timeout = 100000",
    "DROP DATABASE IF EXISTS clew_load",
    "CREATE DATABASE clew_load",
    "CREATE TABLE clew_load.orders (id INT PRIMARY KEY, state INT NOT NULL) ENGINE = InnoDB",
];

impl BenchmarkSessions {
    /// Opens all sessions and waits until each lock waiter is blocked by a row lock.
    pub async fn start(server: &DatabaseServer, size: BenchmarkSessionCounts) -> io::Result<Self> {
        server.run_statements(&SETUP_STATEMENTS).await.map_err(io::Error::other)?;
        server.run_statements(&[&format_insert_statement(size.transactions)]).await.map_err(io::Error::other)?;
        let mut sessions = open_idle_sessions(server, size.sessions).await?;
        let holding = size.transactions.saturating_sub(size.waiters);
        let mut all = std::mem::take(&mut sessions.sessions).into_iter();
        sessions.sessions = begin_transactions(all.by_ref().take(holding)).await?;
        for mut session in all.by_ref().take(size.waiters) {
            session.execute("BEGIN").await?;
            session.send_statement(b"UPDATE clew_load.orders SET state = 2 WHERE id = 0").await?;
            sessions.sessions.push(session);
        }
        sessions.sessions.extend(all);
        let load = Self { sessions, size };
        load.wait_until_waiters_are_blocked(server).await?;
        Ok(load)
    }

    /// Returns the counts of sessions, open transactions and lock waiters.
    #[must_use]
    pub fn session_counts(&self) -> BenchmarkSessionCounts {
        self.size
    }

    /// Returns the thread id of the session whose row lock blocks all waiting sessions.
    #[must_use]
    pub fn blocker_id(&self) -> Option<u64> {
        self.sessions.sessions.first().map(|session| session.id)
    }

    async fn wait_until_waiters_are_blocked(&self, server: &DatabaseServer) -> io::Result<()> {
        const WAITER_COUNT_QUERY: &str =
            "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
        let mut control = server.connect_as_root().await.map_err(io::Error::other)?;
        let start = Instant::now();
        loop {
            let waiting: Option<usize> = control.query_first(WAITER_COUNT_QUERY).await.map_err(io::Error::other)?;
            if waiting == Some(self.size.waiters) {
                break;
            }
            if start.elapsed() > BLOCKED_WAITERS_TIMEOUT {
                let message =
                    format!("{waiting:?} of {} sessions wait after {BLOCKED_WAITERS_TIMEOUT:?}", self.size.waiters);
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            // InnoDB refreshes `innodb_trx` at most ten times per second.
            sleep(Duration::from_millis(150)).await;
        }
        control.disconnect().await.map_err(io::Error::other)
    }
}

/// Returns the sessions in input order.
async fn begin_transactions(sessions: impl Iterator<Item = RawSession>) -> io::Result<Vec<RawSession>> {
    let mut opening = JoinSet::new();
    for (row, mut session) in sessions.enumerate() {
        opening.spawn(async move {
            session.execute("BEGIN").await?;
            session.execute(&format!("UPDATE clew_load.orders SET state = 1 WHERE id = {row}")).await?;
            io::Result::Ok((row, session))
        });
    }
    let mut opened = Vec::new();
    while let Some(result) = opening.join_next().await {
        opened.push(result.map_err(io::Error::other)??);
    }
    opened.sort_unstable_by_key(|(row, _)| *row);
    Ok(opened.into_iter().map(|(_, session)| session).collect())
}

fn format_insert_statement(count: usize) -> String {
    let rows: Vec<String> = (0..count).map(|row| format!("({row}, 0)")).collect();
    format!("INSERT INTO clew_load.orders VALUES {}", rows.join(","))
}
