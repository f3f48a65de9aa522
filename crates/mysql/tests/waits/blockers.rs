//! Data about root blockers: latest statements and rollback state.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_diagnose::lock_waits::{ParticipantDetail, WaitGraph};
use clew_model::LimitationKind;
use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession};
use rstest::rstest;
use tokio::time::{Instant, sleep, timeout};

use super::full_visibility::full_visibility_server;
use super::oracle::observe;

/// Statements that create a small schema.
pub(crate) const SHOP: [&str; 4] = [
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT NOT NULL)",
    "CREATE TABLE shop.s (id INT PRIMARY KEY, v INT NOT NULL)",
    "INSERT INTO shop.t VALUES (1, 1), (2, 2)",
];
/// Time limit for expected states.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

pub(crate) async fn open_shop_session(server: &DatabaseServer) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, "root", Some("shop"), ClientCharset::Utf8mb4).await.unwrap()
}

/// Reads until `is_so` is true for the graph.
/// InnoDB refreshes its list of transactions only if it was not read for a while.
pub(crate) async fn graph_where(server: &DatabaseServer, what: &str, is_so: impl Fn(&WaitGraph) -> bool) -> WaitGraph {
    let start = Instant::now();
    loop {
        let graph = observe(server).await;
        if is_so(&graph) {
            return graph;
        }
        assert!(start.elapsed() < LIMIT, "{what} was not detected: {graph:#?}");
        sleep(Duration::from_millis(120)).await;
    }
}

pub(crate) fn root(graph: &WaitGraph) -> &ParticipantDetail {
    graph.participant_detail(graph.roots[0].parties[0]).unwrap()
}

#[rstest]
#[tokio::test]
async fn idle_root_blocker_has_statements_of_its_transaction(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = full_visibility_server(flavor).await;
    server.run_statements(&SHOP).await.unwrap();
    let (mut holder, mut waiter) = (open_shop_session(&server).await, open_shop_session(&server).await);
    for statement in ["DO 'of an earlier transaction'", "BEGIN", "UPDATE t SET v = 2 WHERE id = 1", "DO 'later'"] {
        holder.execute(statement).await.unwrap();
    }
    waiter.send_statement(b"UPDATE t SET v = 3 WHERE id = 1").await.unwrap();
    let graph = graph_where(&server, "the wait", |graph| !graph.waits.is_empty()).await;
    let root = root(&graph);
    assert!(root.is_idle());
    let last: Vec<_> = root.last_statements.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    let transaction = root.transaction.as_ref().map(|facts| &facts.transaction).unwrap();
    assert_eq!((transaction.rows_locked, transaction.rows_modified), (1, 1));
    assert!(last.ends_with(&["UPDATE t SET v = 2 WHERE id = 1".to_owned(), "DO 'later'".to_owned()]), "{last:?}");
    if flavor == Flavor::MySql {
        assert_eq!(last.len(), 2, "only those of the open transaction: {last:?}");
    }
}

#[tokio::test]
async fn missing_statement_history_is_reported_with_a_remedy() {
    let options =
        DatabaseServerOptions { arguments: vec!["--performance-schema=ON".into()], ..DatabaseServerOptions::default() };
    let server = DatabaseServer::start(Flavor::MariaDb, &options).await.unwrap();
    server.run_statements(&SHOP).await.unwrap();
    let (mut holder, mut waiter) = (open_shop_session(&server).await, open_shop_session(&server).await);
    holder.execute("BEGIN").await.unwrap();
    holder.execute("UPDATE t SET v = 2 WHERE id = 1").await.unwrap();
    waiter.send_statement(b"UPDATE t SET v = 3 WHERE id = 1").await.unwrap();
    let graph = graph_where(&server, "the wait", |graph| !graph.waits.is_empty()).await;
    let gap = graph.limitations.iter().find(|gap| gap.kind == LimitationKind::NoLastStatements).unwrap();
    assert!(root(&graph).last_statements.is_empty());
    server.run_statements(&[&gap.remedy.as_ref().unwrap().english]).await.unwrap();
    holder.execute("DO 'seen'").await.unwrap();
    let graph = graph_where(&server, "the wait", |graph| !graph.waits.is_empty()).await;
    assert_eq!(root(&graph).last_statements, [b"DO 'seen'"]);
    assert!(graph.limitations.iter().all(|gap| gap.kind != LimitationKind::NoLastStatements));
}

#[tokio::test]
async fn statement_history_of_size_zero_is_reported() {
    for flavor in Flavor::ALL {
        let arguments = ["--performance-schema=ON", "--performance-schema-events-statements-history-size=0"];
        let options =
            DatabaseServerOptions { arguments: arguments.map(Into::into).into(), ..DatabaseServerOptions::default() };
        let server = DatabaseServer::start(flavor, &options).await.unwrap();
        let enable = "UPDATE performance_schema.setup_consumers SET enabled = 'YES'";
        server.run_statements(&[SHOP.as_slice(), &[enable]].concat()).await.unwrap();
        let (mut holder, mut waiter) = (open_shop_session(&server).await, open_shop_session(&server).await);
        holder.execute("BEGIN").await.unwrap();
        holder.execute("UPDATE t SET v = 2 WHERE id = 1").await.unwrap();
        waiter.send_statement(b"UPDATE t SET v = 3 WHERE id = 1").await.unwrap();
        let graph = graph_where(&server, "the wait", |graph| !graph.waits.is_empty()).await;
        let gap = graph.limitations.iter().find(|gap| gap.kind == LimitationKind::NoLastStatements);
        assert!(
            gap.is_some_and(|gap| gap.why.english.contains("history_size is 0")),
            "{flavor}: {:?}",
            graph.limitations
        );
    }
}

#[rstest]
#[tokio::test]
async fn root_blocker_in_rollback_is_detected(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = full_visibility_server(flavor).await;
    server.run_statements(&SHOP).await.unwrap();
    let (mut holder, mut waiter) = (open_shop_session(&server).await, open_shop_session(&server).await);
    holder.execute("BEGIN").await.unwrap();
    holder.execute("UPDATE t SET v = 2 WHERE id = 1").await.unwrap();
    // The rollback of 300,000 rows takes long enough to be detected.
    let digits = "(SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL \
                  SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let many = format!(
        "INSERT INTO s SELECT 100000 * f.n + 10000 * e.n + 1000 * d.n + 100 * c.n + 10 * b.n + a.n, 0 FROM \
         {digits} a, {digits} b, {digits} c, {digits} d, {digits} e, (SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2) f"
    );
    holder.execute(&many).await.unwrap();
    waiter.send_statement(b"UPDATE t SET v = 3 WHERE id = 1").await.unwrap();
    graph_where(&server, "the wait", |graph| !graph.waits.is_empty()).await;
    server.run_statements(&[&format!("KILL {}", holder.id)]).await.unwrap();
    let is_undone = |graph: &WaitGraph| !graph.roots.is_empty() && root(graph).is_rolling_back();
    let graph = graph_where(&server, "the roll-back", is_undone).await;
    assert_eq!(root(&graph).party.session_id(), Some(holder.id));
    timeout(LIMIT, waiter.wait_for_response()).await.unwrap().unwrap();
}
