//! What is told of who is in the way: what it ran last, whether it is being undone.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_diagnose::waits::{PartyFacts, WaitGraph, graph};
use clew_model::LimitationKind;
use clew_testkit::{Charset, Flavor, RawSession, Server, ServerOptions};
use tokio::time::{Instant, sleep, timeout};

use super::everything::telling;
use super::truth::observe;

/// A schema that is small.
pub(crate) const SHOP: [&str; 4] = [
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT NOT NULL)",
    "CREATE TABLE shop.s (id INT PRIMARY KEY, v INT NOT NULL)",
    "INSERT INTO shop.t VALUES (1, 1), (2, 2)",
];
/// For what is built to be seen.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

pub(crate) async fn enter(server: &Server) -> RawSession {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    RawSession::open(address, "root", Some("shop"), Charset::Utf8mb4).await.unwrap()
}

/// Reads until the graph is as wanted. InnoDB makes its table of transactions anew only for who did not look for a while.
pub(crate) async fn graph_where(server: &Server, what: &str, is_so: impl Fn(&WaitGraph) -> bool) -> WaitGraph {
    let start = Instant::now();
    loop {
        let graph = graph(&observe(server).await);
        if is_so(&graph) {
            return graph;
        }
        assert!(start.elapsed() < LIMIT, "{what} was not seen: {graph:#?}");
        sleep(Duration::from_millis(120)).await;
    }
}

pub(crate) fn root(graph: &WaitGraph) -> &PartyFacts {
    graph.facts(graph.roots[0].parties[0]).unwrap()
}

async fn an_idle_root_tells_what_its_transaction_did(flavor: Flavor) {
    let server = telling(flavor).await;
    server.run(&SHOP).await.unwrap();
    let (mut holder, mut waiter) = (enter(&server).await, enter(&server).await);
    for statement in ["DO 'of an earlier transaction'", "BEGIN", "UPDATE t SET v = 2 WHERE id = 1", "DO 'later'"] {
        holder.run(statement).await.unwrap();
    }
    waiter.begin(b"UPDATE t SET v = 3 WHERE id = 1").await.unwrap();
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
async fn an_idle_root_tells_what_its_transaction_did_on_mysql() {
    an_idle_root_tells_what_its_transaction_did(Flavor::MySql).await;
}

#[tokio::test]
async fn an_idle_root_tells_what_its_transaction_did_on_mariadb() {
    an_idle_root_tells_what_its_transaction_did(Flavor::MariaDb).await;
}

#[tokio::test]
async fn where_statements_are_not_kept_that_is_said_and_can_be_mended() {
    let options = ServerOptions { arguments: vec!["--performance-schema=ON".into()], ..ServerOptions::default() };
    let server = Server::start(Flavor::MariaDb, &options).await.unwrap();
    server.run(&SHOP).await.unwrap();
    let (mut holder, mut waiter) = (enter(&server).await, enter(&server).await);
    holder.run("BEGIN").await.unwrap();
    holder.run("UPDATE t SET v = 2 WHERE id = 1").await.unwrap();
    waiter.begin(b"UPDATE t SET v = 3 WHERE id = 1").await.unwrap();
    let graph = graph_where(&server, "the wait", |graph| !graph.waits.is_empty()).await;
    let gap = graph.limitations.iter().find(|gap| gap.kind == LimitationKind::NoLastStatements).unwrap();
    assert!(root(&graph).last_statements.is_empty());
    server.run(&[gap.remedy.as_deref().unwrap()]).await.unwrap();
    holder.run("DO 'seen'").await.unwrap();
    let graph = graph_where(&server, "the wait", |graph| !graph.waits.is_empty()).await;
    assert_eq!(root(&graph).last_statements, [b"DO 'seen'"]);
    assert!(graph.limitations.iter().all(|gap| gap.kind != LimitationKind::NoLastStatements));
}

#[tokio::test]
async fn history_of_statements_without_room_is_named() {
    for flavor in Flavor::ALL {
        let arguments = ["--performance-schema=ON", "--performance-schema-events-statements-history-size=0"];
        let options = ServerOptions { arguments: arguments.map(Into::into).into(), ..ServerOptions::default() };
        let server = Server::start(flavor, &options).await.unwrap();
        let enable = "UPDATE performance_schema.setup_consumers SET enabled = 'YES'";
        server.run(&[SHOP.as_slice(), &[enable]].concat()).await.unwrap();
        let (mut holder, mut waiter) = (enter(&server).await, enter(&server).await);
        holder.run("BEGIN").await.unwrap();
        holder.run("UPDATE t SET v = 2 WHERE id = 1").await.unwrap();
        waiter.begin(b"UPDATE t SET v = 3 WHERE id = 1").await.unwrap();
        let graph = graph_where(&server, "the wait", |graph| !graph.waits.is_empty()).await;
        let gap = graph.limitations.iter().find(|gap| gap.kind == LimitationKind::NoLastStatements);
        assert!(gap.is_some_and(|gap| gap.why.contains("history_size is 0")), "{flavor}: {:?}", graph.limitations);
    }
}

async fn a_root_that_is_being_undone_is_seen_as_that(flavor: Flavor) {
    let server = telling(flavor).await;
    server.run(&SHOP).await.unwrap();
    let (mut holder, mut waiter) = (enter(&server).await, enter(&server).await);
    holder.run("BEGIN").await.unwrap();
    holder.run("UPDATE t SET v = 2 WHERE id = 1").await.unwrap();
    // Undoing a change of 300,000 rows takes long enough to be seen.
    let digits = "(SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL \
                  SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let many = format!(
        "INSERT INTO s SELECT 100000 * f.n + 10000 * e.n + 1000 * d.n + 100 * c.n + 10 * b.n + a.n, 0 FROM \
         {digits} a, {digits} b, {digits} c, {digits} d, {digits} e, (SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2) f"
    );
    holder.run(&many).await.unwrap();
    waiter.begin(b"UPDATE t SET v = 3 WHERE id = 1").await.unwrap();
    graph_where(&server, "the wait", |graph| !graph.waits.is_empty()).await;
    server.run(&[&format!("KILL {}", holder.id)]).await.unwrap();
    let is_undone = |graph: &WaitGraph| !graph.roots.is_empty() && root(graph).is_rolling_back();
    let graph = graph_where(&server, "the roll-back", is_undone).await;
    assert_eq!(root(&graph).party.session(), Some(holder.id));
    timeout(LIMIT, waiter.answer()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_root_that_is_being_undone_is_seen_as_that_on_mysql() {
    a_root_that_is_being_undone_is_seen_as_that(Flavor::MySql).await;
}

#[tokio::test]
async fn a_root_that_is_being_undone_is_seen_as_that_on_mariadb() {
    a_root_that_is_being_undone_is_seen_as_that(Flavor::MariaDb).await;
}
