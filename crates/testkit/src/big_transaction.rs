//! An open transaction whose rollback can be watched.

use std::net::{Ipv4Addr, SocketAddr};

use crate::raw_client::{Charset, RawSession};
use crate::server::Server;

/// Rows of the first statement; each further one doubles them.
const FIRST: &str = "INSERT INTO big.t (a) VALUES (1), (2), (3), (4), (5), (6), (7), (8)";
const DOUBLE: &str = "INSERT INTO big.t (a) SELECT (a * 7 + id) % 100003 FROM big.t";

/// A session of `user`, an account without a password, whose open transaction has inserted 8 rows, doubled so many times, into the new
/// table `big.t`. Undoing 16 doublings, half a million rows of two indexes, takes seconds.
pub async fn big_transaction(server: &Server, user: &str, doublings: u32) -> mysql_async::Result<RawSession> {
    let grant = format!("GRANT ALL ON big.* TO {user}@'%'");
    let table = "CREATE TABLE big.t (id INT AUTO_INCREMENT PRIMARY KEY, a INT, KEY (a))";
    server.run(&["CREATE DATABASE big", table, &grant]).await?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    let mut session = RawSession::open(address, user, None, Charset::Utf8mb4).await?;
    session.run("START TRANSACTION").await?;
    session.run(FIRST).await?;
    for _ in 0..doublings {
        session.run(DOUBLE).await?;
    }
    Ok(session)
}
