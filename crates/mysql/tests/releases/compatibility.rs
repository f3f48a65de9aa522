//! Sessions, lock waits, kills and diagnosis on every release.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_diagnose::ProtectedAccounts;
use clew_diagnose::lock_waits::WaitParticipant;
use clew_model::{FailureKind, LimitationKind, NodeUrl};
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
    open_session_for_account(server, "root").await
}

async fn open_session_for_account(server: &DatabaseServer, user: &str) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap()
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
    timeout(Duration::from_secs(30), reading).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn row_lock_wait_has_its_blocker_on_a_server(
    #[values(
        ServerRelease::MariaDb10,
        ServerRelease::MariaDb11,
        ServerRelease::MariaDb10Galera,
        ServerRelease::MySql5,
        ServerRelease::MySql9
    )]
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
    #[values(
        ServerRelease::MariaDb10,
        ServerRelease::MariaDb11,
        ServerRelease::MariaDb10Galera,
        ServerRelease::MySql5,
        ServerRelease::MySql9
    )]
    release: ServerRelease,
) {
    let server = start(release).await;
    let statements = ["CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY) ENGINE=InnoDB"];
    server.run_statements(&statements).await.unwrap();
    let (mut blocker, mut waiter) = (open_session(&server).await, open_session(&server).await);
    if release == ServerRelease::MariaDb10Galera {
        // A schema change would abort the transaction of the blocker instead of waiting.
        blocker.execute("LOCK TABLES shop.orders WRITE").await.unwrap();
        waiter.send_statement(b"SELECT * FROM shop.orders").await.unwrap();
    } else {
        blocker.execute("BEGIN").await.unwrap();
        blocker.query("SELECT * FROM shop.orders").await.unwrap();
        waiter.send_statement(b"ALTER TABLE shop.orders ADD COLUMN note INT").await.unwrap();
    }
    let is_waiting = |waits: &LockWaits| !waits.graph.waits.is_empty() || !waits.graph.unexplained.is_empty();
    let waits = wait_for_lock_waits(&server, is_waiting).await.graph;
    // performance_schema records metadata locks by default.
    if release == ServerRelease::MySql9 {
        let [wait] = waits.waits.as_slice() else { panic!("{release}: {waits:#?}") };
        assert_eq!(wait.blocker, WaitParticipant::Session(blocker.id), "{release}: {wait:#?}");
    } else {
        let [unexplained] = waits.unexplained.as_slice() else { panic!("{release}: {waits:#?}") };
        assert_eq!(unexplained.session, waiter.id, "{release}: {waits:#?}");
        let kinds = [LimitationKind::NoMetadataLocks, LimitationKind::NoPerformanceSchema];
        let limitation = waits.limitations.iter().find(|limitation| kinds.contains(&limitation.kind));
        assert!(limitation.is_some(), "{release}: {waits:#?}");
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
    timeout(Duration::from_secs(30), finding).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn session_is_listed_and_killed_on_a_server(
    #[values(
        ServerRelease::MariaDb10,
        ServerRelease::MariaDb11,
        ServerRelease::MariaDb10Galera,
        ServerRelease::MySql5,
        ServerRelease::MySql9
    )]
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
    #[values(
        ServerRelease::MariaDb10,
        ServerRelease::MariaDb11,
        ServerRelease::MariaDb10Galera,
        ServerRelease::MySql5,
        ServerRelease::MySql9
    )]
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
            // A comment after the statements describes an alternative.
            let executable = remedy.english.split(" -- ").next().unwrap_or_default();
            if executable.ends_with(';') {
                let statements: Vec<&str> =
                    executable.split_inclusive(';').map(str::trim).filter(|part| !part.is_empty()).collect();
                server.run_statements(&statements).await.unwrap_or_else(|error| panic!("{release}: {remedy}: {error}"));
            }
        }
    }
    let kinds: Vec<LimitationKind> = remaining.iter().map(|limitation| limitation.kind).collect();
    let expected: &[LimitationKind] = match release {
        ServerRelease::MySql9 => &[],
        ServerRelease::MySql5 => &[LimitationKind::NoMetadataLocks, LimitationKind::UnreliableAges],
        // performance_schema can only be enabled at server start.
        ServerRelease::MariaDb10 | ServerRelease::MariaDb11 | ServerRelease::MariaDb10Galera => {
            &[LimitationKind::NoPerformanceSchema]
        }
    };
    assert_eq!(kinds, expected, "{release}: {remaining:#?}");
}

#[rstest]
#[tokio::test]
async fn role_with_the_privilege_is_activated_and_not_granted_again_on_a_server(
    #[values(ServerRelease::MariaDb10, ServerRelease::MariaDb11, ServerRelease::MySql9)] release: ServerRelease,
) {
    let server = start(release).await;
    let (kill, host) =
        if release == ServerRelease::MySql9 { ("CONNECTION_ADMIN", "@'%'") } else { ("CONNECTION ADMIN", "") };
    server
        .run_statements(&[
            "CREATE USER clew@'127.0.0.1' IDENTIFIED BY 'x'",
            &format!("CREATE ROLE dba{host}"),
            &format!("GRANT PROCESS, {kill} ON *.* TO dba{host}"),
            &format!("GRANT SELECT ON performance_schema.* TO dba{host}"),
            &format!("GRANT dba{host} TO clew@'127.0.0.1'"),
        ])
        .await
        .unwrap();
    let node: NodeUrl = server.url_for_account("clew", "x").parse().unwrap();
    let remedies = async || -> Vec<String> {
        let diagnosis = diagnose_node(&node, &connector()).await.unwrap();
        let limitations = diagnosis.checks.into_iter().filter_map(|check| check.limitation);
        limitations.filter_map(|limitation| Some(limitation.remedy?.english.into_owned())).collect()
    };
    let before = remedies().await;
    let statements: Vec<&str> = before.iter().map(String::as_str).filter(|remedy| remedy.ends_with(';')).collect();
    assert!(
        !statements.is_empty() && statements.iter().all(|remedy| remedy.starts_with("SET DEFAULT ROLE")),
        "{before:?}"
    );
    server.run_statements(&statements).await.unwrap();
    let after = remedies().await;
    assert!(!after.iter().any(|remedy| remedy.ends_with(';')), "{release}: {after:?}");
}

#[tokio::test]
async fn super_privilege_kills_sessions_only_if_the_diagnosis_reports_so_on_a_server() {
    for release in ServerRelease::ALL {
        let server = start(release).await;
        server.run_statements(&["CREATE USER clew@'127.0.0.1' IDENTIFIED BY 'x'"]).await.unwrap();
        server.run_statements(&["GRANT SUPER, PROCESS ON *.* TO clew@'127.0.0.1'"]).await.unwrap();
        let node: NodeUrl = server.url_for_account("clew", "x").parse().unwrap();
        // On MySQL, killing a session of `root` also requires SYSTEM_USER.
        server.run_statements(&["CREATE USER app@'%'"]).await.unwrap();
        let mut busy = open_session_for_account(&server, "app").await;
        busy.send_statement(b"SELECT SLEEP(600)").await.unwrap();
        let victim = running_victim(&node, busy.id).await;
        let diagnosis = diagnose_node(&node, &connector()).await.unwrap();
        let check = diagnosis.checks.iter().find(|check| check.what == "killing sessions").unwrap();
        let protected = ProtectedAccounts::default();
        let options = KillOptions::new(KillTarget::Connection, &protected);
        let outcome = kill_single_victim(&node, &victim, options, &connector()).await;
        assert_eq!(matches!(outcome, Ok(KillOutcome::Killed)), check.works, "{release}: {outcome:?} {check:?}");
    }
}

#[tokio::test]
async fn anonymous_account_gets_no_grant_on_a_server() {
    for release in ServerRelease::ALL {
        let server = start(release).await;
        if release == ServerRelease::MySql9 {
            // The other releases have this account. The anonymous account would match before `root@'%'`.
            let grant = "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION";
            server.run_statements(&["CREATE USER root@'127.0.0.1'", grant]).await.unwrap();
        }
        server.run_statements(&["CREATE USER clew@'%'", "CREATE USER ''@'127.0.0.1'"]).await.unwrap();
        let node: NodeUrl = server.url_for_account("clew", "").parse().unwrap();
        // The server lists no sessions for an account without a user name.
        let failure = diagnose_node(&node, &connector()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::MissingPrivilege, "{release}: {failure}");
        assert!(!failure.detail.contains("GRANT"), "{release}: {failure}");
        let drop = failure.detail.split_once("Fix: ").unwrap().1;
        server.run_statements(&[drop]).await.unwrap();
        let diagnosis = diagnose_node(&node, &connector()).await.unwrap();
        assert_eq!(diagnosis.account, "clew@%", "{release}");
    }
}

#[tokio::test]
async fn version_text_does_not_hide_mariadb_on_a_server() {
    for release in [ServerRelease::MariaDb10, ServerRelease::MariaDb11] {
        let options = DatabaseServerOptions {
            arguments: vec!["--version=8.0.35-log".to_owned()],
            ..DatabaseServerOptions::default()
        };
        let server = DatabaseServer::start(release, &options).await.unwrap();
        let diagnosis = diagnose_node(&node(&server), &connector()).await.unwrap();
        assert_eq!(diagnosis.server_flavor, clew_mysql::Flavor::MariaDb, "{release}: {diagnosis:?}");
    }
}

#[tokio::test]
async fn sessions_are_listed_if_innodb_is_disabled_on_a_server() {
    for release in [ServerRelease::MariaDb10, ServerRelease::MariaDb11] {
        let arguments = ["--skip-innodb", "--default-storage-engine=Aria"].map(str::to_owned).to_vec();
        let options = DatabaseServerOptions { arguments, ..DatabaseServerOptions::default() };
        let server = DatabaseServer::start(release, &options).await.unwrap();
        let _session = open_session(&server).await;
        let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: true });
        let snapshot = take_snapshot(&node(&server), &options, &connector()).await.unwrap();
        assert_eq!((snapshot.summary.rows, snapshot.summary.limitations.len()), (1, 0), "{release}");
        assert!(read_lock_waits(&node(&server), &connector()).await.is_ok(), "{release}");
    }
}
