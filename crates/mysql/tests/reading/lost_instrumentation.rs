//! A server whose performance_schema is too small: losses are reported as the reason for missing data.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_diagnose::lock_waits::WaitGraph;
use clew_model::{Limitation, LimitationKind, NodeUrl};
use clew_mysql::{
    ConnectionPurpose, SampleCache, SnapshotFormat, SnapshotOptions, diagnose_node, find_sessions_by_id,
    read_client_sessions, read_lock_waits, take_session_sample, take_snapshot,
};
use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession, open_idle_sessions};
use rstest::rstest;
use tokio::time::sleep;

use super::connector;

/// Starts a server with these settings of performance_schema.
async fn start(flavor: Flavor, settings: &[&str]) -> DatabaseServer {
    let on = ["--performance-schema=ON", "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON"];
    let arguments = on.iter().chain(settings).map(ToString::to_string).collect();
    DatabaseServer::start(flavor, &DatabaseServerOptions { arguments, ..DatabaseServerOptions::default() })
        .await
        .unwrap()
}

async fn open(server: &DatabaseServer) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, "root", None, ClientCharset::Utf8mb4).await.unwrap()
}

async fn waits(server: &DatabaseServer) -> WaitGraph {
    let node: NodeUrl = server.url().parse().unwrap();
    read_lock_waits(&node, &connector()).await.unwrap().graph
}

/// Returns the limitations of `doctor` and of a detailed snapshot.
async fn limitations(server: &DatabaseServer) -> [Vec<Limitation>; 2] {
    let (node, connector): (NodeUrl, _) = (server.url().parse().unwrap(), connector());
    let diagnosis = diagnose_node(&node, &connector).await.unwrap();
    let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: false });
    let options = SnapshotOptions { detailed: true, ..options };
    let snapshot = take_snapshot(&node, &options, &connector).await.unwrap();
    [diagnosis.checks.into_iter().filter_map(|check| check.limitation).collect(), snapshot.summary.limitations]
}

#[rstest]
#[tokio::test]
async fn lost_metadata_locks_explain_a_missing_blocker(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = start(flavor, &["--performance-schema-max-metadata-locks=10"]).await;
    server.run_statements(&["CREATE DATABASE shop", "CREATE TABLE shop.t (a INT) ENGINE = InnoDB"]).await.unwrap();
    let mut tables = Vec::new();
    for table in 0..30 {
        tables.push(format!("CREATE TABLE shop.filler{table} (a INT) ENGINE = InnoDB"));
    }
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    server.run_statements(&tables).await.unwrap();
    // More locks than the table can hold, then those of a wait.
    let mut filler = open(&server).await;
    filler.execute("BEGIN").await.unwrap();
    for table in 0..30 {
        filler.execute(&format!("INSERT INTO shop.filler{table} VALUES (1)")).await.unwrap();
    }
    let mut holder = open(&server).await;
    holder.execute("BEGIN").await.unwrap();
    holder.execute("INSERT INTO shop.t VALUES (1)").await.unwrap();
    let mut waiter = open(&server).await;
    waiter.send_statement(b"ALTER TABLE shop.t ADD COLUMN b INT").await.unwrap();
    let unexplained = loop {
        let graph = waits(&server).await;
        if let Some(unexplained) = graph.unexplained.iter().find(|unexplained| unexplained.session == waiter.id) {
            assert!(graph.limitations.iter().any(|gap| gap.kind == LimitationKind::LostMetadataLocks), "{graph:#?}");
            break unexplained.clone();
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert!(
        unexplained.why.english.contains("performance_schema_max_metadata_locks is 10, which is too small"),
        "{unexplained:?}"
    );
    for limitations in limitations(&server).await {
        let lost = limitations.iter().find(|gap| gap.kind == LimitationKind::LostMetadataLocks).unwrap();
        assert!(
            lost.why.english.starts_with("The server lost ") && lost.why.english.contains(" metadata locks "),
            "{lost:?}"
        );
    }
}

#[rstest]
#[tokio::test]
async fn each_loss_of_performance_schema_is_reported(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    use LimitationKind::{LostConnectAttributes, LostMetadataLocks, LostStatements, LostThreads};
    let of_both = [
        ("--performance-schema-max-metadata-locks=0", LostMetadataLocks, "max_metadata_locks is 0"),
        ("--performance-schema-max-thread-instances=60", LostThreads, "max_thread_instances is 60"),
        ("--performance-schema-max-statement-stack=1", LostStatements, "max_statement_stack is 1"),
        ("--performance-schema-max-thread-classes=5", LostThreads, "max_thread_classes is 5"),
        ("--performance-schema-max-statement-classes=20", LostStatements, "max_statement_classes is 20"),
    ];
    let connect_attributes = [(
        "--performance-schema-session-connect-attrs-size=4",
        LostConnectAttributes,
        "session_connect_attrs_size is 4",
    )];
    for (setting, kind, why) in of_both.into_iter().chain(connect_attributes) {
        let server = start(flavor, &[setting]).await;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let _session = RawSession::open_with_program_name("checkout", address, "root", None, ClientCharset::Utf8mb4)
            .await
            .unwrap();
        let _threads = open_idle_sessions(&server, 60).await.unwrap();
        let enable = "UPDATE performance_schema.setup_consumers SET enabled = 'YES'";
        let nested = ["CREATE DATABASE shop", "CREATE PROCEDURE shop.nested() DO 1", "CALL shop.nested()"];
        server.run_statements(&[[enable].as_slice(), &nested].concat()).await.unwrap();
        for limitations in limitations(&server).await {
            let lost = limitations.iter().find(|gap| gap.kind == kind);
            assert!(lost.is_some_and(|lost| lost.why.english.contains(why)), "{flavor} {setting}: {limitations:#?}");
        }
    }
}

#[tokio::test]
async fn sessions_without_a_thread_have_no_reliable_age_on_mysql() {
    let server = start(Flavor::MySql, &["--performance-schema-max-thread-instances=60"]).await;
    let mut sessions = Vec::new();
    for _ in 0..60 {
        sessions.push(open(&server).await);
    }
    let mut waiter = open(&server).await;
    waiter.send_statement(b"DO SLEEP(600)").await.unwrap();
    let node: NodeUrl = server.url().parse().unwrap();
    loop {
        let users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector()).await.unwrap();
        if users.sessions.iter().any(|session| session.id == waiter.id && session.command == b"Query") {
            assert!(users.unchecked.contains(&waiter.id), "{users:?}");
            assert!(users.into_sessions_with_checked_times().iter().all(|session| session.id != waiter.id));
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn incomplete_process_list_has_a_limitation_on_mysql() {
    let settings = ["--performance-schema-max-thread-instances=60", "--performance-schema-show-processlist=ON"];
    let server = start(Flavor::MySql, &settings).await;
    let (node, connector): (NodeUrl, _) = (server.url().parse().unwrap(), connector());
    let idle = open_idle_sessions(&server, 60).await.unwrap();
    let is_lost = |limitations: &[Limitation]| {
        limitations.iter().any(|gap| {
            gap.kind == LimitationKind::LostThreads && gap.what.english.contains("missing from the process list")
        })
    };
    let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: false });
    let plain = take_snapshot(&node, &options, &connector).await.unwrap();
    assert!(plain.summary.rows < 60 && is_lost(&plain.summary.limitations), "{:?}", plain.summary);
    let users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.unwrap();
    assert!(users.sessions.len() < 60 && is_lost(&users.limitations), "{:?}", users.limitations);
    let ids: Vec<u64> = idle.sessions.iter().map(|session| session.id).collect();
    let failure = find_sessions_by_id(&node, &ids, &connector).await.unwrap_err();
    assert!(failure.detail.contains("missing from the process list"), "{failure}");

    // Samples use `SHOW FULL PROCESSLIST` if the table is incomplete.
    server.run_statements(&["SET GLOBAL performance_schema_show_processlist = OFF"]).await.unwrap();
    let live = take_session_sample(&node, &mut SampleCache::default(), 60, &connector).await.unwrap();
    assert_eq!(live.counts.total, 60, "{:?}", live.counts);
}
