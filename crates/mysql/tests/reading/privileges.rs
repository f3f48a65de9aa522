//! Data visible to an account without privileges and with PROCESS, and the `GRANT` statements that Clew suggests.

use clew_model::{LimitationKind, NodeUrl, SessionSelection};
use clew_mysql::{NodeDiagnosis, diagnose_node};
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor, open_idle_sessions};
use rstest::rstest;

use super::{connector, csv_of, take};

async fn diagnosis(url: &str) -> NodeDiagnosis {
    let node: NodeUrl = url.parse().unwrap();
    diagnose_node(&node, &connector()).await.unwrap()
}

fn kinds(diagnosis: &NodeDiagnosis) -> Vec<LimitationKind> {
    diagnosis.checks.iter().filter_map(|check| Some(check.limitation.as_ref()?.kind)).collect()
}

#[rstest]
#[tokio::test]
async fn suggested_grants_remove_limitations(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let options = match flavor {
        Flavor::MySql => DatabaseServerOptions::default(),
        Flavor::MariaDb => DatabaseServerOptions {
            arguments: vec!["--performance-schema=ON".into()],
            ..DatabaseServerOptions::default()
        },
    };
    let server = DatabaseServer::start(flavor, &options).await.unwrap();
    server.run_statements(&["CREATE USER `o'dd`@'127.0.0.1' IDENTIFIED BY 'x'"]).await.unwrap();
    let _others = open_idle_sessions(&server, 3).await.unwrap();
    let url = server.url_for_account("o%27dd", "x");

    let snapshot = take(&url, &SessionSelection::default(), true).await.unwrap();
    assert_eq!(snapshot.summary.rows, 0);
    let named: Vec<_> = snapshot.summary.limitations.iter().map(|limitation| limitation.kind).collect();
    assert_eq!(named, [LimitationKind::OnlyOwnSessions, LimitationKind::NoTransactions]);

    let before = diagnosis(&url).await;
    let mut missing = vec![
        LimitationKind::OnlyOwnSessions,
        LimitationKind::NoTransactions,
        LimitationKind::NoKill,
        LimitationKind::NoMetadataLocks,
    ];
    // Ages in MariaDB's process list cannot be changed by a session.
    missing.extend((flavor == Flavor::MySql).then_some(LimitationKind::UnreliableAges));
    assert_eq!(kinds(&before), missing, "{before:#?}");
    paste_remedies(&server, &before).await;
    let snapshot = take(&url, &SessionSelection::default(), true).await.unwrap();
    assert_eq!((snapshot.summary.rows, snapshot.summary.limitations.len()), (3, 0));

    let mut after = diagnosis(&url).await;
    if flavor == Flavor::MariaDb {
        // With the privilege, the disabled instrument is detected; its remedy is the last.
        assert_eq!(kinds(&after), [LimitationKind::NoMetadataLocks], "{after:#?}");
        paste_remedies(&server, &after).await;
        after = diagnosis(&url).await;
    }
    assert_eq!(kinds(&after), [], "{after:#?}");
}

/// Runs the remedies that `clew doctor` prints, as an administrator would.
async fn paste_remedies(server: &DatabaseServer, diagnosis: &NodeDiagnosis) {
    let remedies: Vec<_> = diagnosis
        .checks
        .iter()
        .filter_map(|check| Some(&*check.limitation.as_ref()?.remedy.as_ref()?.english))
        .collect();
    server.run_statements(&remedies).await.unwrap();
}

#[tokio::test]
async fn process_privilege_shows_all_sessions_and_transactions() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let setup = [
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY)",
            "CREATE USER clew@'%' IDENTIFIED BY 'x'",
            "GRANT PROCESS ON *.* TO clew@'%'",
        ];
        server.run_statements(&setup).await.unwrap();
        let mut others = open_idle_sessions(&server, 2).await.unwrap();
        others.sessions[0].execute("START TRANSACTION").await.unwrap();
        others.sessions[0].execute("INSERT INTO shop.t VALUES (1), (2)").await.unwrap();
        let records = csv_of(&server.url_for_account("clew", "x"), &SessionSelection::default(), true).await;
        let id = others.sessions[0].id.to_string();
        let record = records.iter().find(|record| record[0] == id).unwrap();
        assert_eq!((records.len(), record[11].as_str(), record[14].as_str()), (2, "RUNNING", "2"), "{flavor}");
    }
}

#[tokio::test]
async fn truncated_statements_are_reported_with_a_remedy() {
    let options = DatabaseServerOptions {
        arguments: vec!["--performance-schema-show-processlist=ON".into()],
        ..DatabaseServerOptions::default()
    };
    let server = DatabaseServer::start(Flavor::MySql, &options).await.unwrap();
    let snapshot = take(&server.url(), &SessionSelection::default(), true).await.unwrap();
    let [limitation] = snapshot.summary.limitations.as_slice() else { panic!("{:?}", snapshot.summary) };
    assert_eq!(limitation.kind, LimitationKind::StatementsTruncated);
    server.run_statements(&[&limitation.remedy.as_ref().unwrap().english]).await.unwrap();
    assert!(take(&server.url(), &SessionSelection::default(), true).await.unwrap().summary.limitations.is_empty());
}
