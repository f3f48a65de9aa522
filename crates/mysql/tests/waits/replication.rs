//! Replication appliers as blockers: they are detected and never killed.

use std::collections::HashMap;

use clew_diagnose::lock_waits::SessionRole;
use clew_diagnose::{KillRisk, ProtectedAccounts};
use clew_model::NodeUrl;
use clew_mysql::{
    ConnectionPurpose, KillOptions, KillOutcome, KillRefusal, KillTarget, SessionLookupResult, Victim,
    find_sessions_by_id, kill_single_victim, read_client_sessions, read_kill_risks,
};
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor};
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use rstest::rstest;
use tokio::time::{Instant, sleep};

use super::blockers::{LIMIT, SHOP, graph_where, open_shop_session, root};

use super::connector;

/// Starts a server that can be a replication source and a replica.
async fn replicating(flavor: Flavor, id: u32, options: &[&str]) -> DatabaseServer {
    let arguments = ["--log-bin=log".to_owned(), "--binlog-format=STATEMENT".to_owned(), format!("--server-id={id}")];
    let arguments = arguments.into_iter().chain(options.iter().map(ToString::to_string)).collect();
    let options = DatabaseServerOptions { arguments, ..DatabaseServerOptions::default() };
    DatabaseServer::start(flavor, &options).await.unwrap()
}

/// Starts replication from the current position of the source.
async fn follow(replica: &DatabaseServer, source: &DatabaseServer) {
    let words = match source.flavor() {
        Flavor::MySql => {
            ["SHOW BINARY LOG STATUS", "REPLICATION SOURCE", "SOURCE", ", GET_SOURCE_PUBLIC_KEY = 1", "REPLICA"]
        }
        Flavor::MariaDb => ["SHOW MASTER STATUS", "MASTER", "MASTER", "", "SLAVE"],
    };
    let [status, change, source_word, key, replica_word] = words;
    let mut control = source.connect_as_root().await.unwrap();
    let position: Row = control.query_first(status).await.unwrap().unwrap();
    let (file, at): (String, u64) = (position.get(0).unwrap(), position.get(1).unwrap());
    let port = source.port();
    let point = format!(
        "CHANGE {change} TO {source_word}_HOST = '127.0.0.1', {source_word}_PORT = {port}, {source_word}_USER = 'root', \
         {source_word}_LOG_FILE = '{file}', {source_word}_LOG_POS = {at}{key}"
    );
    replica.run_statements(&[&point, &format!("START {replica_word}")]).await.unwrap();
}

/// Waits for a session whose text in a column of the process list starts with `prefix`, and returns its id.
async fn session_where(server: &DatabaseServer, column: usize, prefix: &str) -> u64 {
    let mut control = server.connect_as_root().await.unwrap();
    let start = Instant::now();
    loop {
        let list: Vec<Row> = control.query("SHOW PROCESSLIST").await.unwrap();
        let matches =
            |row: &&Row| row.get::<Option<String>, _>(column).flatten().is_some_and(|text| text.starts_with(prefix));
        if let Some(row) = list.iter().find(matches) {
            return row.get(0).unwrap();
        }
        assert!(start.elapsed() < LIMIT, "no session with {prefix:?}: {list:?}");
        sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Waits for a sleeping session and returns its id.
async fn sleeping_session(server: &DatabaseServer) -> u64 {
    session_where(server, 6, "User sleep").await
}

/// Starts a source and a replica whose applier sleeps in a trigger that exists on the replica only.
async fn with_an_applier_in_a_trigger(flavor: Flavor, options: &[&str]) -> (DatabaseServer, DatabaseServer, u64) {
    let (source, replica) = (replicating(flavor, 1, options).await, replicating(flavor, 2, options).await);
    source.run_statements(&SHOP).await.unwrap();
    let mut statements = vec!["SET sql_log_bin = 0"];
    statements.extend(SHOP);
    statements.push("CREATE TRIGGER shop.slow BEFORE INSERT ON shop.s FOR EACH ROW SET @slept = SLEEP(600)");
    replica.run_statements(&statements).await.unwrap();
    follow(&replica, &source).await;
    let transaction = ["BEGIN", "UPDATE shop.t SET v = 2 WHERE id = 1", "INSERT INTO shop.s VALUES (1, 1)", "COMMIT"];
    source.run_statements(&transaction).await.unwrap();
    let applier = sleeping_session(&replica).await;
    (source, replica, applier)
}

#[rstest]
#[tokio::test]
async fn applier_is_detected(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let (_source, replica, applier) = with_an_applier_in_a_trigger(flavor, &[]).await;
    let mut waiter = open_shop_session(&replica).await;
    waiter.send_statement(b"UPDATE t SET v = 3 WHERE id = 1").await.unwrap();
    let graph = graph_where(&replica, "the wait", |graph| !graph.waits.is_empty()).await;
    assert_eq!(graph.waits[0].waiter.session_id(), Some(waiter.id));
    assert_eq!(root(&graph).party.session_id(), Some(applier), "{graph:#?}");
    assert_eq!(root(&graph).role, SessionRole::Applier, "{graph:#?}");
}

/// In a trigger, the applier has the account of the definer, and the process list does not identify it.
async fn applier_is_not_killed(flavor: Flavor, options: &[&str]) {
    let (_source, replica, applier) = with_an_applier_in_a_trigger(flavor, options).await;
    let (node, connector): (NodeUrl, _) = (replica.url().parse().unwrap(), connector());
    let SessionLookupResult { read, mut sessions, .. } =
        find_sessions_by_id(&node, &[applier], &connector).await.unwrap();
    let session = sessions.pop().unwrap();
    assert_eq!(session.user, b"root", "{session:?}");
    let no_protected_accounts = ProtectedAccounts::new::<&str>([]);
    for (victim, kind) in [
        (Victim::for_session(&session, &read), KillTarget::Connection),
        (Victim::for_statement(&session, &read), KillTarget::Query),
    ] {
        let outcome = kill_single_victim(&node, &victim, KillOptions::new(kind, &no_protected_accounts), &connector)
            .await
            .unwrap();
        assert_eq!(outcome, KillOutcome::Refused(KillRefusal::Internal), "{flavor} {options:?}");
    }
    assert_eq!(sleeping_session(&replica).await, applier);

    // A client of the same account is a user session.
    let client = open_shop_session(&replica).await;
    let users = read_client_sessions(&node, ConnectionPurpose::Reading, &connector).await.unwrap().sessions;
    assert!(users.iter().any(|session| session.id == client.id), "{users:?}");
    assert!(users.iter().all(|session| session.id != applier), "{users:?}");
}

#[tokio::test]
async fn session_that_streams_the_binary_log_has_the_replication_risk() {
    for flavor in Flavor::ALL {
        let (source, replica) = (replicating(flavor, 1, &[]).await, replicating(flavor, 2, &[]).await);
        source.run_statements(&SHOP).await.unwrap();
        follow(&replica, &source).await;
        let streaming = session_where(&source, 4, "Binlog Dump").await;
        let (node, connector): (NodeUrl, _) = (source.url().parse().unwrap(), connector());
        let client = open_shop_session(&source).await;
        let sessions = find_sessions_by_id(&node, &[streaming, client.id], &connector).await.unwrap().sessions;
        assert_eq!(sessions.len(), 2, "{flavor}: {sessions:?}");
        let risks = read_kill_risks(&node, &sessions, &HashMap::new(), &connector).await.unwrap();
        assert_eq!(risks.get(&streaming), Some(&vec![KillRisk::Replication]), "{flavor}: {risks:?}");
        assert!(risks.get(&client.id).is_none_or(Vec::is_empty), "{flavor}: {risks:?}");
    }
}

#[tokio::test]
async fn applier_is_not_killed_on_mysql() {
    applier_is_not_killed(Flavor::MySql, &[]).await;
}

#[tokio::test]
async fn applier_is_not_killed_on_mysql_without_performance_schema() {
    applier_is_not_killed(Flavor::MySql, &["--performance-schema=OFF"]).await;
}

#[tokio::test]
async fn applier_is_not_killed_on_mariadb() {
    applier_is_not_killed(Flavor::MariaDb, &[]).await;
}
