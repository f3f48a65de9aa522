//! Opens the sessions of a typical incident: an open transaction, sessions waiting for its locks, and a slow query.

use std::time::Duration;

use clew_devtools::DevtoolsError;
use clew_testkit::DatabaseServer;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tokio::task::JoinSet;

pub(crate) const DEMO_DB_USER: &str = "clew";
pub(crate) const DEMO_DB_PASSWORD: &str = "clew-demo";

const SETUP_STATEMENTS: [&str; 9] = [
    "CREATE DATABASE shop",
    "CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(20) NOT NULL, total DECIMAL(10,2) NOT NULL) ENGINE = InnoDB",
    "INSERT INTO shop.orders SELECT seq, 'open', seq * 1.25 FROM shop.seq_1_to_1000",
    "CREATE USER clew@'127.0.0.1' IDENTIFIED BY 'clew-demo'",
    "GRANT PROCESS ON *.* TO clew@'127.0.0.1'",
    "CREATE USER checkout@'127.0.0.1', billing@'127.0.0.1', reports@'127.0.0.1'",
    "GRANT ALL ON shop.* TO checkout@'127.0.0.1'",
    "GRANT ALL ON shop.* TO billing@'127.0.0.1'",
    "GRANT ALL ON shop.* TO reports@'127.0.0.1'",
];

/// Demo sessions, each with an account, setup statements and an optional long-running statement.
const DEMO_SESSIONS: [(&str, &[&str], Option<&str>); 7] = [
    // The root blocker: an idle session with an uncommitted update.
    ("checkout", &["START TRANSACTION", "UPDATE orders SET status = 'paid' WHERE id BETWEEN 1 AND 20"], None),
    (
        "billing",
        &LOCK_WAITER_SETUP_STATEMENTS,
        Some("UPDATE orders SET total = total * 1.1 WHERE id = 7 /* \"rush\", price list 12 */"),
    ),
    ("billing", &LOCK_WAITER_SETUP_STATEMENTS, Some("DELETE FROM orders\nWHERE id = 12\n  AND status = 'open'")),
    ("checkout", &LOCK_WAITER_SETUP_STATEMENTS, Some("SELECT id, total FROM orders WHERE id = 3 FOR UPDATE")),
    ("reports", &[], Some("SELECT status, SUM(total), SLEEP(3600) FROM orders GROUP BY status")),
    ("reports", &["START TRANSACTION", "SELECT COUNT(*) FROM orders"], None),
    ("checkout", &[], None),
];

const LOCK_WAITER_SETUP_STATEMENTS: [&str; 1] = ["SET SESSION innodb_lock_wait_timeout = 100000"];

const EXPECTED_LOCK_WAITER_COUNT: u64 = 3;
const LOCK_WAIT_START_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct BlockedSessions {
    port: u16,
    idle: Vec<Conn>,
    busy: JoinSet<Result<(), mysql_async::Error>>,
}

impl BlockedSessions {
    pub(super) async fn open(server: &DatabaseServer) -> Result<Self, DevtoolsError> {
        server
            .run_statements(&SETUP_STATEMENTS)
            .await
            .map_err(DevtoolsError::operation_error("prepare the database"))?;
        let mut blocked = Self { port: server.port(), idle: Vec::new(), busy: JoinSet::new() };
        for (user, setup, final_statement) in DEMO_SESSIONS {
            blocked
                .open_session(user, setup, final_statement)
                .await
                .map_err(DevtoolsError::operation_error("open a blocked session"))?;
        }
        wait_until_sessions_are_blocked(server).await?;
        Ok(blocked)
    }

    async fn open_session(
        &mut self,
        user: &str,
        setup: &[&str],
        final_statement: Option<&'static str>,
    ) -> Result<(), mysql_async::Error> {
        let account = OptsBuilder::default().ip_or_hostname("127.0.0.1").prefer_socket(false).tcp_port(self.port);
        let mut session = Conn::new(account.user(Some(user)).db_name(Some("shop"))).await?;
        for statement in setup {
            session.query_drop(*statement).await?;
        }
        match final_statement {
            None => self.idle.push(session),
            Some(statement) => drop(self.busy.spawn(async move { session.query_drop(statement).await })),
        }
        Ok(())
    }

    pub(super) fn session_count(&self) -> usize {
        self.idle.len() + self.busy.len()
    }

    pub(super) fn url(&self) -> String {
        format!("mysql://{DEMO_DB_USER}@127.0.0.1:{}/", self.port)
    }
}

async fn wait_until_sessions_are_blocked(server: &DatabaseServer) -> Result<(), DevtoolsError> {
    const LOCK_WAITER_COUNT_QUERY: &str =
        "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
    let mut root = server.connect_as_root().await.map_err(DevtoolsError::operation_error("count lock waits"))?;
    let poll = async {
        loop {
            let waiters: Option<u64> = root
                .query_first(LOCK_WAITER_COUNT_QUERY)
                .await
                .map_err(DevtoolsError::operation_error("count lock waits"))?;
            if waiters >= Some(EXPECTED_LOCK_WAITER_COUNT) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let timed_out = |_| {
        let seconds = LOCK_WAIT_START_TIMEOUT.as_secs();
        DevtoolsError::Failed(format!("the demo sessions did not start waiting for locks within {seconds} s"))
    };
    tokio::time::timeout(LOCK_WAIT_START_TIMEOUT, poll).await.map_err(timed_out)?
}
