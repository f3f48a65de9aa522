//! Live list of a node's sessions.

use std::time::Duration;

use clew_testkit::{FakeServer, FakeServerOptions, Fault, Flavor, StatementHoldingProxy};
use http::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::server::Server;

async fn start_fake_node(sessions: u64, fault: Fault) -> FakeServer {
    FakeServer::start(FakeServerOptions { sessions, transactions: 0, fault }).await.unwrap()
}

/// Lists an idle and a busy session of a real server.
#[rstest]
#[tokio::test]
async fn sessions_are_listed(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node =
        clew_testkit::DatabaseServer::start(flavor, &clew_testkit::DatabaseServerOptions::default()).await.unwrap();
    node.run_statements(&["CREATE DATABASE shop"]).await.unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], node.port()));
    let open = async |database| {
        clew_testkit::RawSession::open(address, "root", database, clew_testkit::ClientCharset::Utf8mb4).await.unwrap()
    };
    let (idle, mut busy) = (open(None).await, open(Some("shop")).await);
    busy.send_statement(b"SELECT SLEEP(1000), 'secret'").await.unwrap();
    let mut server = Server::start().await;
    server.set_node_url(&node.url()).await;

    // The server may list a new session before its statement.
    let list = loop {
        let list = server.get(&server.node_path("processes")).await.expect_status(200);
        if list["processes"][1]["info"].is_string() {
            break list;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(list["total_count"], 2, "{list}");
    let fields = ["command", "db", "host", "id", "info", "state", "time", "user"];
    let keys = |process: &Value| process.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let [first, second] = list["processes"].as_array().unwrap().as_slice() else { panic!("{list}") };
    assert_eq!((keys(first), keys(second)), (fields.map(String::from).to_vec(), fields.map(String::from).to_vec()));
    assert_eq!((&first["id"], &first["command"], &first["db"]), (&idle.id.into(), &"Sleep".into(), &Value::Null));
    assert_eq!(first["info"], Value::Null, "{first}");
    assert_eq!((&second["id"], &second["user"], &second["db"]), (&busy.id.into(), &"root".into(), &"shop".into()));
    assert_eq!((&second["command"], &second["state"]), (&"Query".into(), &"User sleep".into()), "{second}");
    assert_eq!(second["info"], "SELECT SLEEP(1000), 'secret'");
    assert!(second["host"].as_str().unwrap().starts_with("127.0.0.1:") && second["time"].is_u64(), "{second}");

    let reader = server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await;
    let reader = server.project_token(&reader).await;
    let info = async |token: &str| {
        let call = server.call(Method::GET, &server.node_path("processes?offset=1")).token(token);
        call.send().await.expect_status(200)["processes"][0]["info"].clone()
    };
    assert_eq!(info(&reader).await, "SELECT SLEEP(1000), 'secret'");
    server.mask(&server.tenant.project_id, true).await;
    assert_eq!(info(&reader).await, "SELECT SLEEP(?), ?");
    assert_eq!(info(server.token()).await, "SELECT SLEEP(1000), 'secret'");
}

#[tokio::test]
async fn pages_are_ordered_by_id_and_count_all_sessions() {
    let node = start_fake_node(250, Fault::None).await;
    let mut server = Server::start().await;
    server.set_node_url(&node.url()).await;
    let page = async |query: &str| {
        let list = server.get(&server.node_path(&format!("processes{query}"))).await.expect_status(200);
        let ids = list["processes"].as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap());
        (ids.collect::<Vec<_>>(), list["total_count"].as_u64().unwrap())
    };
    assert_eq!(page("").await, ((1..=100).collect(), 250));
    assert_eq!(page("?offset=100&limit=3").await, (vec![101, 102, 103], 250));
    assert_eq!(page("?offset=249").await, (vec![250], 250));
    assert_eq!(page("?offset=2147483647").await, (vec![], 250));
    for query in ["?limit=0", "?limit=101", "?offset=-1", "?limit=x", "?offset=2147483648", "?limit=1&limit=2"] {
        server.get(&server.node_path(&format!("processes{query}"))).await.expect_error(400, "DBS.280001");
    }
}

#[tokio::test]
async fn unreadable_node_is_reported_with_the_reason() {
    let full = start_fake_node(1, Fault::TooManyConnections).await;
    let mut server = Server::start().await;
    server.set_node_url(&full.url()).await;
    for path in ["processes", "process/lock-wait?pid=1"] {
        let message = server.get(&server.node_path(path)).await.expect_error(500, "DBS.05000000");
        assert!(message.contains("no free connection") && message.contains("1040"), "{message}");
        let chinese = server.get_in_chinese(&server.node_path(path)).await.expect_error(500, "DBS.05000000");
        assert!(chinese.contains("1040") && !chinese.contains("free connection"), "{chinese}");
    }
}

#[tokio::test]
async fn concurrent_reads_of_a_hanging_node_are_rejected() {
    let hung = start_fake_node(1, Fault::NoGreeting).await;
    let mut server = Server::start_with(|_, tasks| {
        tasks.connector.limits.read_timeout = Duration::from_secs(4);
        tasks.connector.limits.connect_timeout = Duration::from_secs(4);
    })
    .await;
    server.set_node_url(&hung.url()).await;
    let path = server.node_path("processes");
    let ask = async || server.get(&path).await.expect_error(500, "DBS.05000000");
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    let messages = [a, b, c, d];
    // A waiting request spends half of its time limit on the wait, and the other half on the read.
    let count = |words: &str| messages.iter().filter(|message| message.contains(words)).count();
    assert_eq!(count("did not respond in time"), 1, "{messages:?}");
    assert_eq!(count("connections to the node are in use: "), 3, "{messages:?}");
    assert_eq!(count("Clew already reads this node"), 3, "{messages:?}");
    // The connection permit is free again.
    assert!(ask().await.contains("no response within"));
}

#[rstest]
#[tokio::test]
async fn kills_succeed_while_reads_hang(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node =
        clew_testkit::DatabaseServer::start(flavor, &clew_testkit::DatabaseServerOptions::default()).await.unwrap();
    let victim = clew_testkit::open_idle_sessions(&node, 1).await.unwrap().sessions.remove(0);
    // The lock reader queries CURRENT_USER; the kill does not.
    let gate = StatementHoldingProxy::start(&node, "CURRENT_USER").await.unwrap();
    let mut server = Server::start_with(|_, tasks| tasks.connector.limits.read_timeout = Duration::from_secs(40)).await;
    server.set_node_url(&gate.url()).await;
    let (lock_wait, list) =
        (server.node_path(&format!("process/lock-wait?pid={}", victim.id)), server.node_path("processes"));
    let hanging = async || server.get(&lock_wait).await.expect_error(404, "DBS.290013");
    let waiting = async {
        gate.wait_until_statement_is_held().await;
        server.get(&list).await.expect_status(200)
    };
    let killing = async {
        gate.wait_until_statement_is_held().await;
        let body = json!({ "processes": [victim.id] }).to_string();
        let killed = server.call(Method::DELETE, &list).body(body).send().await.expect_status(200);
        assert_eq!(killed["processes_killed"], json!([victim.id]), "{killed}");
        gate.release_held_statement();
    };
    let (_, _, list, ()) = tokio::join!(hanging(), hanging(), waiting, killing);
    assert_eq!(list["total_count"], 0, "{list}");
}

#[tokio::test]
async fn node_without_sessions_has_an_empty_list() {
    let node = start_fake_node(0, Fault::None).await;
    let mut server = Server::start().await;
    server.set_node_url(&node.url()).await;
    let list = server.get(&server.node_path("processes")).await.expect_status(200);
    assert_eq!(list, json!({ "processes": [], "total_count": 0 }));
}
