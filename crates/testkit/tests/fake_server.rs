//! Fake servers and a MySQL driver.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use clew_testkit::{FakeServer, FakeServerFleet, FakeServerOptions, Fault};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, Row};

async fn connect(fake: &FakeServer) -> Result<Conn, Error> {
    let options = OptsBuilder::default()
        .ip_or_hostname(fake.address().ip().to_string())
        .tcp_port(fake.address().port())
        .user(Some("anybody"))
        .pass(Some("anything"))
        .prefer_socket(false)
        // Prevents queries that the driver would send itself.
        .max_allowed_packet(Some(1 << 24))
        .wait_timeout(Some(60));
    Conn::new(options).await
}

/// Returns the number of sessions in the list excluding the session of the reader, and the result of the query.
async fn count_sessions(connection: &mut Conn) -> (u64, Result<(), Error>) {
    let mut count = 0;
    let own = u64::from(connection.id());
    let mut rows = match connection.query_iter("SHOW FULL PROCESSLIST").await {
        Ok(rows) => rows,
        Err(error) => return (count, Err(error)),
    };
    loop {
        match rows.next().await {
            // The session of the reader.
            Ok(Some(row)) if row.get::<u64, _>(0) == Some(own) => {}
            Ok(Some(row)) => {
                count += 1;
                assert_eq!(row.get::<u64, _>(0), Some(count));
                assert!(row.get::<String, _>(7).unwrap().contains(&format!("customer = {count} ")));
            }
            Ok(None) => return (count, Ok(())),
            Err(error) => return (count, Err(error)),
        }
    }
}

#[tokio::test]
async fn driver_reads_sessions_and_kills_one() {
    let options = FakeServerOptions { sessions: 100_000, transactions: 700, fault: Fault::None };
    let fake = FakeServer::start(options).await.unwrap();
    let mut connection = connect(&fake).await.unwrap();
    let (version, id): (String, u32) =
        connection.query_first("SELECT VERSION(), CONNECTION_ID()").await.unwrap().unwrap();
    assert_eq!((version.as_str(), id), ("9.7.4-fake", connection.id()));
    connection.query_drop("SET NAMES utf8mb4").await.unwrap();
    connection.ping().await.unwrap();
    let transactions: Vec<Row> = connection.query("SELECT 1 FROM information_schema.innodb_trx").await.unwrap();
    assert_eq!(transactions.len(), 700);
    let (count, ended) = count_sessions(&mut connection).await;
    ended.unwrap();
    assert_eq!(count, 100_000);
    connection.query_drop("KILL 7").await.unwrap();
    assert_eq!(fake.received_kill_statement_count(), 1);
    connection.disconnect().await.unwrap();
}

#[tokio::test]
async fn statements_have_the_requested_size() {
    let options = FakeServerOptions { sessions: 40, transactions: 0, fault: Fault::None };
    for bytes in [249, 250, 251, 1024, 60_000] {
        let fake = FakeServer::start_with_min_statement_size(bytes, options).await.unwrap();
        let mut connection = connect(&fake).await.unwrap();
        let rows: Vec<Row> = connection.query("SHOW FULL PROCESSLIST").await.unwrap();
        let lengths: Vec<usize> = rows.iter().map(|row| row.get::<String, _>(7).unwrap().len()).collect();
        let (own, others) = lengths.split_last().unwrap();
        assert_eq!((*own, others), ("SHOW FULL PROCESSLIST".len(), &[bytes; 40][..]));
        connection.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn faults_occur_after_the_configured_session() {
    for (fault, expected) in [(Fault::CloseAfter(4), 4), (Fault::InvalidPacketAfter(2), 2), (Fault::CloseAfter(0), 0)] {
        let fake = FakeServer::start(FakeServerOptions { sessions: 9, transactions: 0, fault }).await.unwrap();
        let (count, ended) = count_sessions(&mut connect(&fake).await.unwrap()).await;
        assert_eq!(count, expected, "{fault:?}");
        assert!(ended.is_err(), "{fault:?}");
    }
    let slow = Fault::DelayPerRow(Duration::from_millis(1));
    let fake = FakeServer::start(FakeServerOptions { sessions: 9, transactions: 0, fault: slow }).await.unwrap();
    assert_eq!(count_sessions(&mut connect(&fake).await.unwrap()).await.0, 9);
}

#[tokio::test]
async fn dropping_the_server_ends_a_stalled_list() {
    let options = FakeServerOptions { sessions: 9, transactions: 0, fault: Fault::StallAfter(3) };
    let fake = FakeServer::start(options).await.unwrap();
    let mut connection = connect(&fake).await.unwrap();
    let mut rows = connection.query_iter("SHOW FULL PROCESSLIST").await.unwrap();
    for id in 1..=3_u64 {
        assert_eq!(rows.next().await.unwrap().unwrap().get::<u64, _>(0), Some(id));
    }
    assert_eq!(fake.connections.open_count(), 1, "the server closed the connection instead of stalling");
    drop(fake);
    rows.next().await.unwrap_err();
}

#[tokio::test]
async fn login_faults_reject_the_driver() {
    for fault in [Fault::CloseOnConnect, Fault::TooManyConnections, Fault::RawGreeting(b"SSH-2.0-OpenSSH_9.2p1\r\n")] {
        let fake = FakeServer::start(FakeServerOptions { fault, ..FakeServerOptions::default() }).await.unwrap();
        let error = connect(&fake).await.unwrap_err();
        let refused = matches!(&error, Error::Server(error) if error.code == 1040);
        assert_eq!(refused, fault == Fault::TooManyConnections, "{fault:?}: {error}");
    }
}

#[tokio::test]
async fn fleet_counts_connections_of_all_nodes() {
    let fleet = FakeServerFleet::start(3, FakeServerOptions::default()).await.unwrap();
    let [first, second, third] = fleet.servers.as_slice() else { panic!("three nodes") };
    let connections = [connect(first).await.unwrap(), connect(first).await.unwrap(), connect(second).await.unwrap()];
    let open = || {
        (
            first.connections.open_count(),
            second.connections.open_count(),
            third.connections.open_count(),
            fleet.connections.open_count(),
        )
    };
    assert_eq!(open(), (2, 1, 0, 3));
    for connection in connections {
        connection.disconnect().await.unwrap();
    }
    // The fake server detects a closed connection only when its task runs again.
    while open() != (0, 0, 0, 0) {
        tokio::task::yield_now().await;
    }
    connect(third).await.unwrap().disconnect().await.unwrap();
    let max_open = (first.connections.peak_count(), third.connections.peak_count(), fleet.connections.peak_count());
    assert_eq!((max_open, first.connections.accepted_count(), fleet.connections.accepted_count()), ((2, 1, 3), 2, 4));
}
