//! Kill of sessions of a node.

use std::net::SocketAddr;
use std::time::Duration;

use clew_model::{AuditOutcome, Pagination};
use clew_store::{AuditFilter, AuditRecord, KillFilter, RecordedKillOutcome};
use clew_testkit::{ClientCharset, FakeServer, FakeServerOptions, Fault, Flavor, RawSession};
use http::Method;
use mysql_async::prelude::Queryable;
use rstest::rstest;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::server::{PROTECTED, Server};

const LONG: &str = "SELECT SLEEP(1000), 'secret'";

/// Starts a node. All accounts except `clew` have no password; `clew` may list and kill all sessions.
async fn start_node(flavor: Flavor) -> clew_testkit::DatabaseServer {
    let node =
        clew_testkit::DatabaseServer::start(flavor, &clew_testkit::DatabaseServerOptions::default()).await.unwrap();
    let kill = if flavor == Flavor::MySql { "CONNECTION_ADMIN" } else { "CONNECTION ADMIN" };
    let accounts = [
        "SET GLOBAL event_scheduler = ON".to_owned(),
        "CREATE DATABASE shop".to_owned(),
        "CREATE TABLE shop.t (id INT PRIMARY KEY)".to_owned(),
        "CREATE USER app@'%'".to_owned(),
        "GRANT ALL ON shop.* TO app@'%'".to_owned(),
        format!("CREATE USER {PROTECTED}@'%'"),
        "CREATE USER clew@'%' IDENTIFIED BY 'clewpass'".to_owned(),
        format!("GRANT PROCESS, {kill} ON *.* TO clew@'%'"),
        "CREATE USER watcher@'%'".to_owned(),
        "GRANT PROCESS ON *.* TO watcher@'%'".to_owned(),
    ];
    node.run_statements(&accounts.each_ref().map(String::as_str)).await.unwrap();
    node
}

async fn open_session(node: &clew_testkit::DatabaseServer, user: &str) -> RawSession {
    let address = SocketAddr::from(([127, 0, 0, 1], node.port()));
    RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap()
}

/// Opens a session and waits until the node lists its statement.
async fn open_busy_session(node: &clew_testkit::DatabaseServer, user: &str) -> RawSession {
    let mut session = open_session(node, user).await;
    session.send_statement(LONG.as_bytes()).await.unwrap();
    while !list_statements(node).await.iter().any(|(id, _, info)| *id == session.id && info.as_deref() == Some(LONG)) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    session
}

/// Id, account and statement of all sessions.
async fn list_statements(node: &clew_testkit::DatabaseServer) -> Vec<(u64, String, Option<String>)> {
    let mut root = node.connect_as_root().await.unwrap();
    let all = root.query("SELECT id, user, info FROM information_schema.processlist").await.unwrap();
    root.disconnect().await.unwrap();
    all
}

async fn delete(server: &Server, body: Value) -> Answer {
    server.call(Method::DELETE, &server.node_path("processes")).body(body.to_string()).send().await
}

async fn audit_rows(server: &Server, operation: &str) -> Vec<AuditRecord> {
    let filter = AuditFilter { operation: Some(operation.into()), ..AuditFilter::default() };
    server.store.audit().list_audit_rows_after_seq(&filter, 0, 100).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn sessions_of_another_server_instance_are_not_killed(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let mut node = start_node(flavor).await;
    let mut server = Server::start().await;
    server.set_node_url(&node.url_for_account("root", "")).await;
    let listed = open_busy_session(&node, "app").await.id;
    server.get(&server.node_path("processes")).await.expect_status(200);
    // The start time in seconds identifies a server instance.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    node.process.kill().unwrap();
    node.restart().await.unwrap();
    node.run_statements(&["CREATE USER IF NOT EXISTS app@'%'"]).await.unwrap();
    // The server's thread ids restart.
    let mut newcomers = Vec::new();
    while newcomers.last().is_none_or(|session: &RawSession| session.id < listed) {
        newcomers.push(open_busy_session(&node, "app").await);
    }
    let newcomer = newcomers.last().unwrap().id;
    let refused = delete(&server, json!({ "processes": [newcomer] })).await.expect_error(500, "DBS.05000000");
    assert!(refused.contains("list the sessions again"), "{flavor}: {refused}");
    // The answer is the same for an id without a session on the server.
    let missing = newcomer + 1000;
    let refused = delete(&server, json!({ "processes": [missing] })).await.expect_error(500, "DBS.05000000");
    assert!(refused.contains("list the sessions again"), "{flavor}: {refused}");
    assert!(list_statements(&node).await.iter().any(|(id, ..)| *id == newcomer), "{flavor}");
    server.get(&server.node_path("processes")).await.expect_status(200);
    let killed = delete(&server, json!({ "processes": [newcomer] })).await.expect_status(200);
    assert_eq!(killed["processes_killed"], json!([newcomer]), "{flavor}");
}

#[tokio::test]
async fn requests_do_not_repeat_a_refused_login() {
    for flavor in Flavor::ALL {
        let node = start_node(flavor).await;
        let mut server = Server::start().await;
        server.set_node_url(&node.url_for_account("clew", "wrong")).await;
        let refused = async || {
            let mut root = node.connect_as_root().await.unwrap();
            let row: Option<(String, u64)> =
                root.query_first("SHOW GLOBAL STATUS LIKE 'Aborted_connects'").await.unwrap();
            root.disconnect().await.unwrap();
            row.unwrap().1
        };
        let before = refused().await;
        let path = server.node_path("processes");
        // Concurrent and sequential requests.
        for answer in futures_util::future::join_all((0..6).map(|_| server.get(&path))).await {
            answer.expect_error(500, "DBS.05000000");
        }
        for path in ["processes", "processes?limit=1", "processes"] {
            server.get(&server.node_path(path)).await.expect_error(500, "DBS.05000000");
        }
        assert_eq!(refused().await - before, 1, "{flavor}");
    }
}

#[rstest]
#[tokio::test]
async fn sessions_are_killed(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node = start_node(flavor).await;
    let mut server = Server::start().await;
    server.set_node_url(&node.url_for_account("clew", "clewpass")).await;
    let victim = open_busy_session(&node, "app").await;
    let mut idle = open_session(&node, "app").await;
    idle.execute("START TRANSACTION").await.unwrap();
    idle.execute("INSERT INTO shop.t VALUES (1)").await.unwrap();
    let protected = open_busy_session(&node, PROTECTED).await;
    let scheduler = list_statements(&node).await.into_iter().find(|(_, user, _)| user == "event_scheduler").unwrap().0;
    let missing_id = 4_000_000_000_u64;

    let listed = server.get(&server.node_path("processes")).await.expect_status(200);
    assert_eq!(listed["total_count"], 3, "read with its password: {listed}");
    let ids = [victim.id, missing_id, idle.id, protected.id, scheduler, victim.id];
    let answer = delete(&server, json!({ "processes": ids, "reason": "stuck since noon" })).await.expect_status(200);
    let expected = json!({
        "processes_killed": [victim.id, idle.id],
        "processes_not_found": [missing_id, protected.id, scheduler],
    });
    assert_eq!(answer, expected, "{flavor}");
    let left = list_statements(&node).await;
    let lives = |id: u64| left.iter().any(|(known, ..)| *known == id);
    assert_eq!((lives(victim.id), lives(idle.id), lives(protected.id), lives(scheduler)), (false, false, true, true));
    let mut root = node.connect_as_root().await.unwrap();
    assert_eq!(root.query_first::<u64, _>("SELECT COUNT(*) FROM shop.t").await.unwrap(), Some(0));
    root.disconnect().await.unwrap();

    // A repeated kill reports the sessions as not found.
    let again = delete(&server, json!({ "processes": [victim.id] })).await.expect_status(200);
    assert_eq!(again, json!({ "processes_killed": [], "processes_not_found": [victim.id] }));

    let requests = audit_rows(&server, "DeleteTaurusDbNodeProcesses").await;
    assert_eq!((requests.len(), requests[0].event.outcome), (2, AuditOutcome::Succeeded));
    assert_eq!(requests[0].event.detail["not_found"], json!([missing_id, protected.id, scheduler]));
    let kills = audit_rows(&server, "KillSession").await;
    assert_eq!(kills.len(), 4, "{kills:?}");
    let of = |id: u64| &kills.iter().find(|row| row.event.target == id.to_string()).unwrap().event;
    let detail = &of(victim.id).detail;
    assert_eq!((of(victim.id).outcome, &detail["outcome"]), (AuditOutcome::Succeeded, &"killed".into()));
    assert_eq!((&detail["statement"], &detail["user"]), (&"SELECT SLEEP(?), ?".into(), &"app".into()), "{detail}");
    assert_eq!((&detail["source"], &detail["reason"]), (&"manual".into(), &"stuck since noon".into()));
    assert_eq!(of(victim.id).origin.request_id, requests[0].event.origin.request_id);
    assert_eq!(
        (of(protected.id).outcome, &of(protected.id).detail["outcome"]),
        (AuditOutcome::Failed, &"refused".into())
    );
    assert!(of(protected.id).detail["detail"].as_str().unwrap().contains("billing is protected"));
    assert!(of(scheduler).detail["detail"].as_str().unwrap().contains("thread of the server"));
    assert!(!format!("{kills:?}").contains("secret"));

    let filter = KillFilter::for_instance(server.instance.id.clone());
    let (rows, total) = server.store.kills().list_kills(&filter, Pagination { offset: 0, limit: 100 }).await.unwrap();
    let ends: Vec<_> = rows.iter().map(|row| (row.request.session_id, row.outcome)).collect();
    assert_eq!(total, 4);
    for (id, end) in [
        (victim.id, RecordedKillOutcome::Killed),
        (idle.id, RecordedKillOutcome::Killed),
        (scheduler, RecordedKillOutcome::Refused),
    ] {
        assert!(ends.contains(&(id, Some(end))), "{flavor}: {ends:?}");
    }
}

#[tokio::test]
async fn missing_kill_privilege_is_reported_with_the_grant_on_a_server() {
    for flavor in Flavor::ALL {
        let node = start_node(flavor).await;
        let mut server = Server::start().await;
        server.set_node_url(&node.url_for_account("watcher", "")).await;
        let (mine, others) = (open_busy_session(&node, "watcher").await, open_busy_session(&node, "app").await);
        let message =
            delete(&server, json!({ "processes": [mine.id, others.id] })).await.expect_error(500, "DBS.05000000");
        assert!(message.contains("GRANT CONNECTION"), "{flavor}: {message}");
        assert!(message.contains(&format!("not killed: {}; killed: {}", others.id, mine.id)), "{flavor}: {message}");
        assert!(list_statements(&node).await.iter().any(|(id, ..)| *id == others.id));
        let kills = audit_rows(&server, "KillSession").await;
        let ends: Vec<_> = kills.iter().map(|row| row.event.detail["outcome"].as_str().unwrap()).collect();
        assert_eq!(ends, ["killed", "failed"], "{flavor}");
        let request = audit_rows(&server, "DeleteTaurusDbNodeProcesses").await.pop().unwrap().event;
        assert_eq!((request.outcome, &request.detail["killed"]), (AuditOutcome::Failed, &json!([mine.id])));
    }
}

#[tokio::test]
async fn invalid_requests_kill_nothing() {
    let node = FakeServer::start(FakeServerOptions { sessions: 3, transactions: 0, fault: Fault::None }).await.unwrap();
    let mut server = Server::start().await;
    server.set_node_url(&node.url()).await;
    for (body, reason) in [
        (json!({}), "processes is missing"),
        (json!({ "processes": [] }), "Invalid number of entries in processes: 0. Fix: use 1 to 20 entries"),
        (
            json!({ "processes": (1..=21).collect::<Vec<_>>() }),
            "Invalid number of entries in processes: 21. Fix: use 1 to 20 entries",
        ),
        (json!({ "processes": [1, -1] }), "Invalid value for processes: \"-1\""),
        (json!({ "processes": [1], "process": [1] }), "Did you mean processes?"),
        (json!({ "processes": [1], "reason": "x".repeat(256) }), "Invalid length of reason: 256 characters"),
    ] {
        let message = delete(&server, body).await.expect_error(400, "DBS.280001");
        assert!(message.contains(reason), "{message}");
    }
    assert!(audit_rows(&server, "KillSession").await.is_empty());
}
