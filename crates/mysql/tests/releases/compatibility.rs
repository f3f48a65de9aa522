//! Sessions, lock waits, kills and diagnosis on every release.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_diagnose::lock_waits::WaitParticipant;
use clew_model::{LimitationKind, NodeUrl};
use clew_mysql::{
    ConnectionPurpose, KillOptions, KillOutcome, KillTarget, LockWaits, SnapshotFormat, SnapshotOptions, Victim,
    diagnose_node, kill_single_victim, read_client_sessions, read_lock_waits, take_snapshot,
};
use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, RawSession, ServerRelease};
use rstest::rstest;
use tokio::time::{sleep, timeout};

use super::connector;

async fn start(release: ServerRelease) -> DatabaseServer {
    DatabaseServer::start(release, &DatabaseServerOptions::default()).await.unwrap()
}

fn node(server: &DatabaseServer) -> NodeUrl {
    server.url().parse().unwrap()
}

async fn open_session(server: &DatabaseServer) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, "root", None, ClientCharset::Utf8mb4).await.unwrap()
}

async fn wait_for_lock_waits(server: &DatabaseServer, is_complete: impl Fn(&LockWaits) -> bool) -> LockWaits {
    let reading = async {
        loop {
            let waits = read_lock_waits(&node(server), &connector()).await.unwrap();
            if is_complete(&waits) {
                return waits;
            }
            // InnoDB updates information_schema.innodb_trx only if no client has read it for 0.1 s.
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(30), reading).await.expect("the lock wait is listed")
}

#[rstest]
#[tokio::test]
async fn row_lock_wait_has_its_blocker_on_a_server(
    #[values(ServerRelease::MariaDb10, ServerRelease::MariaDb11, ServerRelease::MySql5, ServerRelease::MySql9)]
    release: ServerRelease,
) {
    let server = start(release).await;
    server
        .run_statements(&[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, state INT) ENGINE=InnoDB",
            "INSERT INTO shop.orders VALUES (1, 1), (2, 1)",
        ])
        .await
        .unwrap();
    let (mut blocker, mut waiter) = (open_session(&server).await, open_session(&server).await);
    blocker.execute("BEGIN").await.unwrap();
    blocker.execute("UPDATE shop.orders SET state = 2 WHERE id = 1").await.unwrap();
    waiter.send_statement(b"UPDATE shop.orders SET state = 3 WHERE id = 1").await.unwrap();
    let waits = wait_for_lock_waits(&server, |waits| !waits.graph.waits.is_empty()).await;
    let [wait] = waits.graph.waits.as_slice() else { panic!("{release}: {waits:#?}") };
    assert_eq!(
        (wait.waiter, wait.blocker),
        (WaitParticipant::Session(waiter.id), WaitParticipant::Session(blocker.id)),
        "{release}: {wait:#?}"
    );
    assert_eq!((wait.on.schema.as_deref(), wait.on.name.as_deref()), (Some("shop"), Some("orders")), "{release}");
    assert!(waits.graph.unexplained.is_empty(), "{release}: {waits:#?}");
}

#[rstest]
#[tokio::test]
async fn metadata_lock_wait_has_its_blocker_or_a_limitation_on_a_server(
    #[values(ServerRelease::MariaDb10, ServerRelease::MariaDb11, ServerRelease::MySql5, ServerRelease::MySql9)]
    release: ServerRelease,
) {
    let server = start(release).await;
    let statements = ["CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY) ENGINE=InnoDB"];
    server.run_statements(&statements).await.unwrap();
    let (mut blocker, mut waiter) = (open_session(&server).await, open_session(&server).await);
    blocker.execute("BEGIN").await.unwrap();
    blocker.query("SELECT * FROM shop.orders").await.unwrap();
    waiter.send_statement(b"ALTER TABLE shop.orders ADD COLUMN note INT").await.unwrap();
    let is_waiting = |waits: &LockWaits| !waits.graph.waits.is_empty() || !waits.graph.unexplained.is_empty();
    let waits = wait_for_lock_waits(&server, is_waiting).await.graph;
    match release {
        // performance_schema records metadata locks by default.
        ServerRelease::MySql9 => {
            let [wait] = waits.waits.as_slice() else { panic!("{release}: {waits:#?}") };
            assert_eq!(wait.blocker, WaitParticipant::Session(blocker.id), "{release}: {wait:#?}");
        }
        _ => {
            let [unexplained] = waits.unexplained.as_slice() else { panic!("{release}: {waits:#?}") };
            assert_eq!(unexplained.session, waiter.id, "{release}: {waits:#?}");
            let kinds = [LimitationKind::NoMetadataLocks, LimitationKind::NoPerformanceSchema];
            let limitation = waits.limitations.iter().find(|limitation| kinds.contains(&limitation.kind));
            assert!(limitation.is_some(), "{release}: {waits:#?}");
        }
    }
}

/// Waits until the session runs a statement.
async fn running_victim(node: &NodeUrl, id: u64) -> Victim {
    let finding = async {
        loop {
            let read = read_client_sessions(node, ConnectionPurpose::Reading, &connector()).await.unwrap();
            let running = read.sessions.iter().find(|session| session.id == id && session.statement.is_some());
            if let Some(session) = running {
                return Victim::for_session(session, &read.read);
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(30), finding).await.expect("the session runs a statement")
}

#[rstest]
#[tokio::test]
async fn session_is_listed_and_killed_on_a_server(
    #[values(ServerRelease::MariaDb10, ServerRelease::MariaDb11, ServerRelease::MySql5, ServerRelease::MySql9)]
    release: ServerRelease,
) {
    let server = start(release).await;
    let (mut busy, mut idle) = (open_session(&server).await, open_session(&server).await);
    idle.execute("BEGIN").await.unwrap();
    busy.send_statement(b"SELECT SLEEP(600)").await.unwrap();
    let (node, connector) = (node(&server), connector());
    let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: true });
    let snapshot = take_snapshot(&node, &options, &connector).await.unwrap();
    assert_eq!(snapshot.summary.rows, 2, "{release}: {:?}", snapshot.summary);
    let protected = ProtectedAccounts::default();
    for target in [KillTarget::Query, KillTarget::Connection] {
        let victim = running_victim(&node, busy.id).await;
        let options = KillOptions::new(target, &protected);
        let outcome = kill_single_victim(&node, &victim, options, &connector).await.unwrap();
        assert_eq!(outcome, KillOutcome::Killed, "{release} {target:?}");
        if target == KillTarget::Query {
            let _result_or_error = busy.wait_for_response().await;
            busy.send_statement(b"SELECT SLEEP(600)").await.unwrap();
        }
    }
    let closed = async {
        while read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.unwrap().sessions.len() > 1 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(Duration::from_secs(30), closed).await.is_ok(), "{release}");
}

#[rstest]
#[tokio::test]
async fn diagnosis_has_only_remedies_that_the_server_accepts_on_a_server(
    #[values(ServerRelease::MariaDb10, ServerRelease::MariaDb11, ServerRelease::MySql5, ServerRelease::MySql9)]
    release: ServerRelease,
) {
    let server = start(release).await;
    server.run_statements(&["CREATE USER clew@'127.0.0.1' IDENTIFIED BY 'x'"]).await.unwrap();
    let node: NodeUrl = server.url_for_account("clew", "x").parse().unwrap();
    let mut remaining = Vec::new();
    // A remedy can reveal another limitation, such as a disabled instrument after a missing privilege.
    for _ in 0..3 {
        let diagnosis = diagnose_node(&node, &connector()).await.unwrap();
        let limitations = diagnosis.checks.iter().filter_map(|check| check.limitation.clone());
        remaining = limitations.collect();
        for remedy in remaining.iter().filter_map(|limitation| limitation.remedy.as_ref()) {
            if remedy.english.ends_with(';') {
                let statements: Vec<&str> =
                    remedy.english.split_inclusive(';').map(str::trim).filter(|part| !part.is_empty()).collect();
                server.run_statements(&statements).await.unwrap_or_else(|error| panic!("{release}: {remedy}: {error}"));
            }
        }
    }
    let kinds: Vec<LimitationKind> = remaining.iter().map(|limitation| limitation.kind).collect();
    let expected: &[LimitationKind] = match release {
        ServerRelease::MySql9 => &[],
        ServerRelease::MySql5 => &[LimitationKind::NoMetadataLocks],
        // performance_schema can only be enabled at server start.
        ServerRelease::MariaDb10 | ServerRelease::MariaDb11 => &[LimitationKind::NoPerformanceSchema],
    };
    assert_eq!(kinds, expected, "{release}: {remaining:#?}");
}
