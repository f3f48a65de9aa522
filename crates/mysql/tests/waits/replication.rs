//! A replica whose applier is in the way.

use clew_diagnose::waits::SessionRole;
use clew_testkit::{Flavor, Server, ServerOptions};
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use tokio::time::{Instant, sleep};

use super::blockers::{LIMIT, SHOP, enter, graph_where, root};

/// A server that logs statements for others, and can apply those of another.
async fn replicating(flavor: Flavor, id: u32) -> Server {
    let arguments = ["--log-bin=log".to_owned(), "--binlog-format=STATEMENT".to_owned(), format!("--server-id={id}")];
    let options = ServerOptions { arguments: arguments.into(), ..ServerOptions::default() };
    Server::start(flavor, &options).await.unwrap()
}

/// Follows the source from where its log is now.
async fn follow(replica: &Server, source: &Server) {
    let words = match source.flavor() {
        Flavor::MySql => {
            ["SHOW BINARY LOG STATUS", "REPLICATION SOURCE", "SOURCE", ", GET_SOURCE_PUBLIC_KEY = 1", "REPLICA"]
        }
        Flavor::MariaDb => ["SHOW MASTER STATUS", "MASTER", "MASTER", "", "SLAVE"],
    };
    let [status, change, source_word, key, replica_word] = words;
    let mut control = source.connect().await.unwrap();
    let position: Row = control.query_first(status).await.unwrap().unwrap();
    let (file, at): (String, u64) = (position.get(0).unwrap(), position.get(1).unwrap());
    let port = source.port();
    let point = format!(
        "CHANGE {change} TO {source_word}_HOST = '127.0.0.1', {source_word}_PORT = {port}, {source_word}_USER = 'root', \
         {source_word}_LOG_FILE = '{file}', {source_word}_LOG_POS = {at}{key}"
    );
    replica.run(&[&point, &format!("START {replica_word}")]).await.unwrap();
}

async fn wait_until_somebody_sleeps(server: &Server) {
    let mut control = server.connect().await.unwrap();
    let start = Instant::now();
    loop {
        let list: Vec<Row> = control.query("SHOW PROCESSLIST").await.unwrap();
        if list.iter().any(|row| row.get::<Option<String>, _>(6).flatten().as_deref() == Some("User sleep")) {
            return;
        }
        assert!(start.elapsed() < LIMIT, "the applier does not sleep: {list:?}");
        sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn an_applier_is_known_as_one(flavor: Flavor) {
    let (source, replica) = (replicating(flavor, 1).await, replicating(flavor, 2).await);
    source.run(&SHOP).await.unwrap();
    // The trigger is on the replica alone: there, the transaction stops in the middle.
    let mut statements = vec!["SET sql_log_bin = 0"];
    statements.extend(SHOP);
    statements.push("CREATE TRIGGER shop.slow BEFORE INSERT ON shop.s FOR EACH ROW SET @slept = SLEEP(600)");
    replica.run(&statements).await.unwrap();
    follow(&replica, &source).await;
    let transaction = ["BEGIN", "UPDATE shop.t SET v = 2 WHERE id = 1", "INSERT INTO shop.s VALUES (1, 1)", "COMMIT"];
    source.run(&transaction).await.unwrap();
    wait_until_somebody_sleeps(&replica).await;
    let mut waiter = enter(&replica).await;
    waiter.begin(b"UPDATE t SET v = 3 WHERE id = 1").await.unwrap();
    let graph = graph_where(&replica, "the wait", |graph| !graph.waits.is_empty()).await;
    assert_eq!(graph.waits[0].waiter.session(), Some(waiter.id));
    assert_eq!(root(&graph).role, SessionRole::Applier, "{graph:#?}");
}

#[tokio::test]
async fn an_applier_is_known_as_one_on_mysql() {
    an_applier_is_known_as_one(Flavor::MySql).await;
}

#[tokio::test]
async fn an_applier_is_known_as_one_on_mariadb() {
    an_applier_is_known_as_one(Flavor::MariaDb).await;
}
