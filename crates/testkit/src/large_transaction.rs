//! Begins a large transaction, so that tests can observe its rollback.

use std::net::{Ipv4Addr, SocketAddr};

use crate::database_server::DatabaseServer;
use crate::raw_session::{ClientCharset, RawSession};

const INSERT_INITIAL_ROWS_SQL: &str = "INSERT INTO big.t (a) VALUES (1), (2), (3), (4), (5), (6), (7), (8)";
const DUPLICATE_ALL_ROWS_SQL: &str = "INSERT INTO big.t (a) SELECT (a * 7 + id) % 100003 FROM big.t";

/// Opens a session for the passwordless account `user` and begins a large transaction.
/// The transaction inserts 8 rows and then doubles the row count `doublings` times.
/// If `doublings` is 16, the table contains half a million rows, and rolling back the transaction takes several seconds.
pub async fn begin_large_transaction(
    server: &DatabaseServer,
    user: &str,
    doublings: u32,
) -> mysql_async::Result<RawSession> {
    let grant = format!("GRANT ALL ON big.* TO {user}@'%'");
    let table = "CREATE TABLE big.t (id INT AUTO_INCREMENT PRIMARY KEY, a INT, KEY (a))";
    server.run_statements(&["CREATE DATABASE big", table, &grant]).await?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    let mut session = RawSession::open(address, user, None, ClientCharset::Utf8mb4).await?;
    session.execute("START TRANSACTION").await?;
    session.execute(INSERT_INITIAL_ROWS_SQL).await?;
    for _ in 0..doublings {
        session.execute(DUPLICATE_ALL_ROWS_SQL).await?;
    }
    Ok(session)
}
