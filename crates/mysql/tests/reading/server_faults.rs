//! Nodes that are down, hung, full, crashing or no MySQL server: each read fails with a reason within its limit.

use std::net::SocketAddr;
use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeUrl, SessionSelection};
use clew_mysql::{NodeConnector, ReadLimits, ReadSizeLimits, SnapshotFormat, SnapshotOptions, take_snapshot};
use clew_testkit::{
    ClientCharset, DatabaseServer, DatabaseServerOptions, FakeServer, FakeServerOptions, Fault, Flavor, RawSession,
    open_idle_sessions, open_idle_sessions_for_account,
};
use mysql_async::prelude::Queryable;

use super::{connector, take};

const QUICK: ReadLimits = ReadLimits {
    read_timeout: Duration::from_millis(2500),
    connect_timeout: Duration::from_millis(700),
    bytes: ReadSizeLimits::DEFAULT,
};

async fn failure_of(url: &str, limits: ReadLimits) -> Failure {
    let node: NodeUrl = url.parse().unwrap();
    let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: true });
    let connector = NodeConnector { limits, ..connector() };
    take_snapshot(&node, &options, &connector).await.unwrap_err()
}

#[tokio::test]
async fn each_server_fault_has_its_own_failure_kind() {
    for (fault, kind, expected) in [
        (Fault::NoGreeting, FailureKind::TimedOut, "while connecting"),
        (Fault::CloseOnConnect, FailureKind::ConnectionLost, "closed"),
        (Fault::RawGreeting(b"SSH-2.0-OpenSSH_9.2p1\r\n"), FailureKind::NotMysql, "SSH-2.0"),
        (Fault::RawGreeting(b"HTTP/1.1 400 Bad Request\r\n\r\n"), FailureKind::NotMysql, "HTTP/1.1"),
        (Fault::TooManyConnections, FailureKind::TooManyConnections, "1040"),
        (Fault::StallAfter(2), FailureKind::TimedOut, "2.5 s"),
        (Fault::DelayPerRow(Duration::from_millis(700)), FailureKind::TimedOut, "2.5 s"),
        (Fault::CloseAfter(2), FailureKind::ConnectionLost, "clos"),
        (Fault::EmptyRows, FailureKind::NotMysql, "unexpected row"),
        (Fault::InvalidPacketAfter(2), FailureKind::NotMysql, "out of order"),
    ] {
        let fake = FakeServer::start(FakeServerOptions { sessions: 5, transactions: 0, fault }).await.unwrap();
        let failure = failure_of(&fake.url(), QUICK).await;
        assert_eq!(failure.kind, kind, "{fault:?}: {failure}");
        assert!(failure.detail.contains(expected), "{fault:?}: {failure}");
        assert!(!failure.detail.contains("secret"), "{fault:?}: {failure}");
    }
}

#[tokio::test]
async fn abandoned_statement_is_not_killed_without_proof() {
    let options = FakeServerOptions { sessions: 5, transactions: 0, fault: Fault::StallAfter(2) };
    let fake = FakeServer::start(options).await.unwrap();
    failure_of(&fake.url(), QUICK).await;
    connector().registry.wait_for_pending_kills(Duration::from_secs(10)).await;
    // The fake process list does not show which session runs the statement.
    assert_eq!(fake.received_kill_statement_count(), 0);
}

#[tokio::test]
async fn server_without_a_hostname_variable_is_read() {
    let options = FakeServerOptions { fault: Fault::UnknownHostname, ..FakeServerOptions::default() };
    let fake = FakeServer::start(options).await.unwrap();
    assert_eq!(take(&fake.url(), &SessionSelection::default(), true).await.unwrap().summary.rows, 3);
}

#[tokio::test]
async fn successful_read_kills_nothing() {
    let fake = FakeServer::start(FakeServerOptions::default()).await.unwrap();
    let snapshot = take(&fake.url(), &SessionSelection::default(), true).await.unwrap();
    connector().registry.wait_for_pending_kills(Duration::from_secs(10)).await;
    assert_eq!((snapshot.summary.rows, fake.received_kill_statement_count()), (3, 0));
}

#[tokio::test]
async fn closed_port_or_unknown_host_is_unreachable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failure = failure_of(&format!("mysql://u:p@{free}/"), QUICK).await;
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
    let failure = failure_of("mysql://u:p@no-such-host.invalid/", QUICK).await;
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
}

#[tokio::test]
async fn read_of_a_hung_server_times_out_and_leaves_no_session() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        server.process.pause().unwrap();
        let failure = failure_of(&server.url(), QUICK).await;
        assert_eq!(failure.kind, FailureKind::TimedOut, "{failure}");
        server.process.resume().unwrap();
        connector().registry.wait_for_pending_kills(Duration::from_secs(10)).await;
        let mut connection = server.connect_as_root().await.unwrap();
        let own: u64 = connection.query_first("SELECT CONNECTION_ID()").await.unwrap().unwrap();
        let mut left = Vec::new();
        for _ in 0..50 {
            let rows: Vec<mysql_async::Row> = connection.query("SHOW PROCESSLIST").await.unwrap();
            left = rows
                .iter()
                .map(|row| (row.get::<u64, _>(0).unwrap(), row.get::<String, _>(1).unwrap()))
                .filter(|(id, user)| *id != own && user != "event_scheduler")
                .collect();
            if left.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(left.is_empty(), "{flavor}: {left:?}");
        connection.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn wrong_passwords_full_and_dead_servers_are_reported() {
    for flavor in Flavor::ALL {
        let options = DatabaseServerOptions { max_connections: 10, ..DatabaseServerOptions::default() };
        let mut server = DatabaseServer::start(flavor, &options).await.unwrap();
        server
            .run_statements(&["CREATE USER clew@'%' IDENTIFIED BY 'right'", "GRANT PROCESS ON *.* TO clew@'%'"])
            .await
            .unwrap();
        let failure = failure_of(&server.url_for_account("clew", "wrong"), QUICK).await;
        assert_eq!(failure.kind, FailureKind::AccessDenied, "{failure}");
        assert!(!failure.detail.contains("wrong"), "{failure}");
        let failure = failure_of(&server.url_for_account("no_such_account", "x"), QUICK).await;
        assert_eq!(failure.kind, FailureKind::AccessDenied, "{failure}");

        let full = open_idle_sessions(&server, 10).await.unwrap();
        let failure = failure_of(&server.url_for_account("clew", "right"), QUICK).await;
        assert_eq!(failure.kind, FailureKind::TooManyConnections, "{failure}");
        assert!(failure.detail.contains("extra_port of MariaDB, admin_port of MySQL"), "{failure}");
        drop(full);

        server.process.kill().unwrap();
        let failure = failure_of(&server.url_for_account("clew", "right"), QUICK).await;
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
    }
}

#[tokio::test]
async fn privileged_reads_succeed_on_a_full_server() {
    for flavor in Flavor::ALL {
        let options = DatabaseServerOptions { max_connections: 10, ..DatabaseServerOptions::default() };
        let server = DatabaseServer::start(flavor, &options).await.unwrap();
        server.run_statements(&["CREATE USER app@'%'"]).await.unwrap();
        let _full = open_idle_sessions_for_account(&server, "app", 10).await.unwrap();
        // One connection beyond max_connections is reserved for administrators: a read must not open a second one.
        for _ in 0..30 {
            let snapshot = take(&server.url(), &SessionSelection::default(), true).await.unwrap();
            assert_eq!(snapshot.summary.rows, 10, "{flavor}");
        }
    }
}

#[tokio::test]
async fn reads_abort_no_connection_on_a_server() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let mut connection = server.connect_as_root().await.unwrap();
        for _ in 0..5 {
            take(&server.url(), &SessionSelection::default(), true).await.unwrap();
        }
        let aborted: Vec<(String, u64)> = connection.query("SHOW GLOBAL STATUS LIKE 'Aborted\\_%'").await.unwrap();
        let of = |name: &str| aborted.iter().find(|(aborted, _)| aborted == name).map(|(_, count)| *count);
        assert_eq!((of("Aborted_connects"), of("Aborted_clients")), (Some(0), Some(0)), "{flavor}: {aborted:?}");
        connection.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn read_retries_until_a_connection_is_free() {
    for flavor in Flavor::ALL {
        let options = DatabaseServerOptions { max_connections: 10, ..DatabaseServerOptions::default() };
        let server = DatabaseServer::start(flavor, &options).await.unwrap();
        server.run_statements(&["CREATE USER clew@'%'", "GRANT PROCESS ON *.* TO clew@'%'"]).await.unwrap();
        let mut full = open_idle_sessions(&server, 10).await.unwrap();
        let (url, selection) = (server.url_for_account("clew", ""), SessionSelection::default());
        let ends_soon = async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            drop(full.sessions.pop());
        };
        let (read, ()) = tokio::join!(take(&url, &selection, true), ends_soon);
        assert_eq!(read.unwrap().summary.rows, 9, "{flavor}");
    }
}

#[tokio::test]
async fn accounts_blocked_after_failed_logins_are_access_denied() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let create = match flavor {
            Flavor::MariaDb => vec!["SET GLOBAL max_password_errors = 1", "CREATE USER clew@'%' IDENTIFIED BY 'right'"],
            Flavor::MySql => {
                vec!["CREATE USER clew@'%' IDENTIFIED BY 'right' FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME 1"]
            }
        };
        server.run_statements(&create).await.unwrap();
        failure_of(&server.url_for_account("clew", "wrong"), QUICK).await;
        let failure = failure_of(&server.url_for_account("clew", "right"), QUICK).await;
        assert!(failure.detail.contains("locked") || failure.detail.contains("blocked"), "{failure}");
        assert_eq!(failure.kind, FailureKind::AccessDenied, "{failure}");
    }
}

#[tokio::test]
async fn innodb_status_replaces_unreadable_transactions_with_a_limitation() {
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&["CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY)"]).await.unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut session = RawSession::open(address, "root", Some("shop"), ClientCharset::Utf8mb4).await.unwrap();
    session.execute("START TRANSACTION").await.unwrap();
    session.execute("INSERT INTO t VALUES (1), (2)").await.unwrap();
    session.send_statement("SELECT SLEEP(1000) /* \u{1f9f5} */".as_bytes()).await.unwrap();
    let selection =
        SessionSelection { sql_key: Some("SLEEP(1000) /* \u{1f9f5} */".into()), ..SessionSelection::default() };
    let mut snapshot = take(&server.url(), &selection, true).await.unwrap();
    for _ in 0..50 {
        if snapshot.summary.rows > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        snapshot = take(&server.url(), &selection, true).await.unwrap();
    }
    let [limitation] = snapshot.summary.limitations.as_slice() else { panic!("{:?}", snapshot.summary) };
    assert_eq!(limitation.kind, clew_model::LimitationKind::PartOfTransactions);
    let mut body = Vec::new();
    snapshot.body.write_to(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    assert!(body.starts_with(&format!("{},root,", session.id)), "{body}");
    assert!(body.ends_with(",,RUNNING,0,,2\r\n"), "{body}");
    let diagnosis = clew_mysql::diagnose_node(&server.url().parse().unwrap(), &connector()).await.unwrap();
    assert!(diagnosis.checks.iter().all(|check| check.works), "{diagnosis:#?}");
}
