//! Private database servers of both flavors.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use clew_testkit::{
    BenchmarkSessionCounts, BenchmarkSessions, DatabaseServer, DatabaseServerOptions, Flavor, PredefinedSessions,
    open_idle_sessions,
};
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use rstest::rstest;

async fn process_list(server: &DatabaseServer) -> Vec<Row> {
    let mut connection = server.connect_as_root().await.unwrap();
    let rows = connection.query("SHOW FULL PROCESSLIST").await.unwrap();
    connection.disconnect().await.unwrap();
    rows
}

#[rstest]
#[tokio::test]
async fn known_sessions_are_listed_as_expected(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    let sessions = PredefinedSessions::open(&server).await.unwrap();
    assert_eq!(sessions.expected.len(), PredefinedSessions::SESSION_COUNT);
    let rows = process_list(&server).await;
    for expected in &sessions.expected {
        let row = rows.iter().find(|row| row.get::<u64, _>(0) == Some(expected.id)).unwrap();
        let text = |column: usize| row.get::<Option<Vec<u8>>, _>(column).unwrap();
        assert_eq!(text(1).unwrap(), expected.user.as_bytes(), "{expected:?}");
        assert_eq!(String::from_utf8(text(2).unwrap()).unwrap(), expected.host);
        assert_eq!(text(3).map(|name| String::from_utf8(name).unwrap()), expected.database);
        assert_eq!(text(4).unwrap(), expected.command.as_bytes());
        assert_eq!(String::from_utf8(text(6).unwrap_or_default()).unwrap(), expected.state, "{flavor}");
        let (listed, sent) = (text(7).unwrap_or_default(), expected.statement.clone().unwrap_or_default());
        if listed != sent {
            let start = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(200).collect::<String>();
            panic!(
                "{flavor} lists {} bytes {:?} instead of {} bytes {:?}",
                listed.len(),
                start(&listed),
                sent.len(),
                start(&sent)
            );
        }
    }
    assert_transactions_match(&server, &sessions).await;
}

/// Compares states and changed rows with values that the server reports, by session.
async fn assert_transactions_match(server: &DatabaseServer, sessions: &PredefinedSessions) {
    let mut connection = server.connect_as_root().await.unwrap();
    let transactions: Vec<(u64, String, u64)> = connection
        .query("SELECT trx_mysql_thread_id, trx_state, trx_rows_modified FROM information_schema.innodb_trx")
        .await
        .unwrap();
    connection.disconnect().await.unwrap();
    let found: BTreeMap<_, _> = transactions.into_iter().map(|(id, state, rows)| (id, (state, rows))).collect();
    let expected: BTreeMap<_, _> = sessions
        .expected
        .iter()
        .filter_map(|session| Some((session.id, session.transaction?)))
        .map(|(id, transaction)| (id, (transaction.state.to_owned(), transaction.rows_modified)))
        .collect();
    assert_eq!(found, expected);
    let observed: BTreeMap<_, _> = sessions.query_open_transactions(server).await.unwrap().into_iter().collect();
    assert!(observed.keys().eq(expected.keys()), "{observed:?}");
}

#[tokio::test]
async fn dropped_server_leaves_no_process_or_data() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let (process, folder) = (format!("/proc/{}", server.process.id()), server.process.data_dir());
        let sessions = open_idle_sessions(&server, 20).await.unwrap();
        assert!(process_list(&server).await.len() > sessions.sessions.len());
        assert!(std::path::Path::new(&process).exists() && folder.exists());
        drop(server);
        assert!(!std::path::Path::new(&process).exists() && !folder.exists(), "{flavor}");
    }
}

#[tokio::test]
async fn load_has_the_requested_size() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let size = BenchmarkSessionCounts { sessions: 40, transactions: 20, waiters: 5 };
        let load = BenchmarkSessions::start(&server, size).await.unwrap();
        assert_eq!(load.session_counts(), size);
        let mut control = server.connect_as_root().await.unwrap();
        let counts: Option<(usize, usize)> = control
            .query_first("SELECT COUNT(*), SUM(trx_state = 'LOCK WAIT') FROM information_schema.innodb_trx")
            .await
            .unwrap();
        assert_eq!(counts, Some((20, 5)), "{flavor}");
        let sessions: Vec<mysql_async::Row> = control.query("SHOW PROCESSLIST").await.unwrap();
        let ours = sessions.iter().filter(|row| row.get::<String, _>(2).unwrap().contains(':'));
        assert_eq!(ours.count(), 40 + 1, "{flavor}");
    }
}
