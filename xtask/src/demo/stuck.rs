//! Sessions that are stuck in the ways that are met at night: a forgotten transaction, those that wait for it, a long query.

use std::time::Duration;

use clew_testkit::Server;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tokio::task::JoinSet;

use crate::error::XtaskError;

/// The account that Clew reads with. The server is private, lives for the demo only, and listens on this machine alone.
pub(crate) const READER: &str = "clew";
pub(crate) const READER_PASSWORD: &str = "clew-demo";

/// A table, the account of Clew with the one privilege that it needs, and accounts of applications.
const SET_UP: [&str; 9] = [
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

/// A session per line: who, what is done first, and what it is still doing when Clew looks, if anything.
const SESSIONS: [(&str, &[&str], Option<&str>); 7] = [
    // Paid, and never committed: everyone else waits for this one, which sleeps.
    ("checkout", &["START TRANSACTION", "UPDATE orders SET status = 'paid' WHERE id BETWEEN 1 AND 20"], None),
    (
        "billing",
        &WAIT_FOR_EVER,
        Some("UPDATE orders SET total = total * 1.1 WHERE id = 7 /* \"rush\", price list 12 */"),
    ),
    ("billing", &WAIT_FOR_EVER, Some("DELETE FROM orders\nWHERE id = 12\n  AND status = 'open'")),
    ("checkout", &WAIT_FOR_EVER, Some("SELECT id, total FROM orders WHERE id = 3 FOR UPDATE")),
    ("reports", &[], Some("SELECT status, SUM(total), SLEEP(3600) FROM orders GROUP BY status")),
    ("reports", &["START TRANSACTION", "SELECT COUNT(*) FROM orders"], None),
    ("checkout", &[], None),
];

const WAIT_FOR_EVER: [&str; 1] = ["SET SESSION innodb_lock_wait_timeout = 100000"];

/// How many of [`SESSIONS`] wait for a lock.
const WAITERS: u64 = 3;
/// Time for them to begin waiting.
const LIMIT: Duration = Duration::from_secs(20);

/// Holds the sessions open until it is dropped.
#[derive(Debug)]
pub(super) struct StuckSessions {
    port: u16,
    idle: Vec<Conn>,
    busy: JoinSet<Result<(), mysql_async::Error>>,
}

impl StuckSessions {
    /// Opens them, and returns when all of them are stuck.
    pub(super) async fn open(server: &Server) -> Result<Self, XtaskError> {
        server.run(&SET_UP).await.map_err(failed("prepare the database"))?;
        let mut stuck = Self { port: server.port(), idle: Vec::new(), busy: JoinSet::new() };
        for (user, first, then) in SESSIONS {
            stuck.add(user, first, then).await.map_err(failed("open a stuck session"))?;
        }
        wait_until_stuck(server).await?;
        Ok(stuck)
    }

    async fn add(&mut self, user: &str, first: &[&str], then: Option<&'static str>) -> Result<(), mysql_async::Error> {
        let account = OptsBuilder::default().ip_or_hostname("127.0.0.1").prefer_socket(false).tcp_port(self.port);
        let mut session = Conn::new(account.user(Some(user)).db_name(Some("shop"))).await?;
        for statement in first {
            session.query_drop(*statement).await?;
        }
        match then {
            None => self.idle.push(session),
            Some(statement) => drop(self.busy.spawn(async move { session.query_drop(statement).await })),
        }
        Ok(())
    }

    pub(super) fn count(&self) -> usize {
        self.idle.len() + self.busy.len()
    }

    /// The server as Clew's account sees it. Its password is [`READER_PASSWORD`].
    pub(super) fn url(&self) -> String {
        format!("mysql://{READER}@127.0.0.1:{}/", self.port)
    }
}

async fn wait_until_stuck(server: &Server) -> Result<(), XtaskError> {
    const WAITING: &str = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
    let mut root = server.connect().await.map_err(failed("count lock waits"))?;
    let asked = async {
        loop {
            let waiting: Option<u64> = root.query_first(WAITING).await.map_err(failed("count lock waits"))?;
            if waiting >= Some(WAITERS) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(LIMIT, asked).await.unwrap_or(Err(XtaskError::NotStuck { limit: LIMIT }))
}

fn failed(doing: &'static str) -> impl Fn(mysql_async::Error) -> XtaskError {
    move |cause| XtaskError::Database { doing, cause }
}
