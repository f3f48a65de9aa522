//! Intelligent kill on real servers: preview, execution, history and report.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use clew_store::{AuditFilter, IntelligentKillId};
use clew_testkit::{ClientCharset, FakeServer, FakeServerOptions, Fault, Flavor, RawSession};
use http::Method;
use mysql_async::prelude::Queryable;
use reqwest::Url;
use rstest::rstest;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::server::{PROTECTED, Server};

async fn start_node(flavor: Flavor) -> clew_testkit::DatabaseServer {
    let node =
        clew_testkit::DatabaseServer::start(flavor, &clew_testkit::DatabaseServerOptions::default()).await.unwrap();
    let kill = if flavor == Flavor::MySql { "CONNECTION_ADMIN" } else { "CONNECTION ADMIN" };
    let accounts = [
        "CREATE USER app@'%'".to_owned(),
        format!("CREATE USER {PROTECTED}@'%'"),
        "CREATE USER clew@'%' IDENTIFIED BY 'clewpass'".to_owned(),
        format!("GRANT PROCESS, {kill} ON *.* TO clew@'%'"),
        "GRANT SELECT ON performance_schema.* TO clew@'%'".to_owned(),
    ];
    node.run_statements(&accounts.each_ref().map(String::as_str)).await.unwrap();
    node
}

/// Opens a session that runs a statement until it is killed.
async fn open_busy_session(node: &clew_testkit::DatabaseServer, user: &str, statement: &str) -> RawSession {
    let address = SocketAddr::from(([127, 0, 0, 1], node.port()));
    let mut session = RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap();
    session.send_statement(statement.as_bytes()).await.unwrap();
    session
}

/// The ids that still exist on the node.
async fn existing_sessions(node: &clew_testkit::DatabaseServer, ids: &[u64]) -> BTreeSet<u64> {
    let mut root = node.connect_as_root().await.unwrap();
    let all: Vec<u64> = root.query("SELECT id FROM information_schema.processlist").await.unwrap();
    root.disconnect().await.unwrap();
    all.into_iter().filter(|id| ids.contains(id)).collect()
}

fn path(server: &Server, rest: &str) -> String {
    format!("/v3/{}/instances/{}/intelligent-kill-session{rest}", server.tenant.project_id, server.instance.id)
}

async fn preview(server: &Server) -> Vec<Value> {
    let path = path(server, &format!("/statistic?node_id={}", server.node()));
    server.get(&path).await.expect_status(200)["statistics"].as_array().unwrap().clone()
}

async fn execute(server: &Server) -> Answer {
    let body = json!({ "node_id": server.node() }).to_string();
    server.call(Method::POST, &path(server, "")).body(body).send().await
}

async fn history(server: &Server, more: &str) -> Value {
    let query = format!("/history?node_id={}&start_time=0&end_time=9999999999999{more}", server.node());
    server.get(&path(server, &query)).await.expect_status(200)
}

/// Executes an intelligent kill and waits for its completion.
async fn execute_and_wait(server: &Server) -> Value {
    let id = execute(server).await.expect_status(200)["task_id"].as_str().unwrap().to_owned();
    assert!(id.len() == 13 && id.parse::<IntelligentKillId>().is_ok(), "{id}");
    loop {
        let listed = history(server, "").await;
        let mut found = listed["intelligent_kill_session_histories"].as_array().unwrap().iter();
        if let Some(found) = found.find(|one| one["task_id"] == *id) {
            return found.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn session_ids(statistics: &[Value]) -> BTreeSet<u64> {
    statistics.iter().flat_map(|one| one["ids"].as_array().unwrap()).map(|id| id.as_u64().unwrap()).collect()
}

/// Path and query of a link.
fn link_path(entry: &Value) -> String {
    let url: Url = entry["download_link"].as_str().unwrap().parse().unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

#[rstest]
#[tokio::test]
async fn preview_matches_the_killed_sessions(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node = start_node(flavor).await;
    let mut server = Server::start().await;
    server.set_node_url(&node.url_for_account("clew", "clewpass")).await;
    let by = crate::server::test_origin();
    let (project, instance) = (&server.tenant.project_id, &server.instance.id);
    let second = clew_model::SlowSessionThreshold::new(1).unwrap();
    server
        .store
        .instances()
        .set_slow_session_threshold(&by, project, std::slice::from_ref(instance), second)
        .await
        .unwrap();
    let mut sessions = Vec::new();
    for (user, statement) in [
        ("app", "SELECT SLEEP(1001), 'secret'"),
        ("app", "SELECT SLEEP(1002), 'secret'"),
        ("app", "DO SLEEP(1003)"),
        (PROTECTED, "DO SLEEP(1004)"),
    ] {
        sessions.push(open_busy_session(&node, user, statement).await);
    }
    let all: Vec<u64> = sessions.iter().map(|session| session.id).collect();
    let (victims, protected) = (BTreeSet::from([all[0], all[1], all[2]]), all[3]);
    while session_ids(&preview(&server).await) != victims {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let shown = preview(&server).await;
    let strategies: Vec<_> = shown.iter().map(|one| one["strategy"].as_str().unwrap()).collect();
    assert_eq!(strategies, ["top3_time", "top3_time", "top3_count", "top3_count", "top3_avg_time", "top3_avg_time"]);
    let pair = shown.iter().find(|one| one["strategy"] == "top3_count").unwrap();
    assert_eq!((&pair["ids"], &pair["count"]), (&json!([all[0], all[1]]), &json!(2)), "{pair}");
    assert_eq!(pair["keyword"], "SELECT~SLEEP");
    assert_eq!(pair["example_sql_text"], "SELECT SLEEP(1001), 'secret'");
    let time = |name: &str| pair[name].as_f64().unwrap();
    assert!(time("max_time") >= 1.0 && time("avg_time") <= time("max_time"), "{pair}");
    assert!((time("avg_time") * 2.0 - time("total_time")).abs() < 1e-9, "{pair}");

    // With masking, users without permission to read statements get templates.
    server.mask(project, true).await;
    let reader = server.project_token(&server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await).await;
    let masked = path(&server, &format!("/statistic?node_id={}", server.node()));
    let masked = server.call(Method::GET, &masked).token(&reader).send().await.expect_status(200).to_string();
    assert!(masked.contains("SELECT SLEEP(?), ?") && !masked.contains("secret"), "{masked}");
    assert_eq!(preview(&server).await[0]["example_sql_text"].as_str().unwrap().matches("SLEEP(100").count(), 1);

    let running = tokio::spawn(server.intelligent_kills.clone().run(server.shutdown.clone()));
    let entry = execute_and_wait(&server).await;
    assert_eq!((&entry["status"], entry.get("reason")), (&json!("finished"), None), "{flavor}: {entry}");
    assert!(entry["start_time"].as_i64().unwrap() <= entry["end_time"].as_i64().unwrap(), "{entry}");
    assert_eq!(existing_sessions(&node, &all).await, BTreeSet::from([protected]), "{flavor}");
    assert!(preview(&server).await.is_empty());

    // The report, without credentials.
    let file = server.call(Method::GET, &link_path(&entry)).anonymous().send().await;
    assert_eq!((file.status.as_u16(), &*file.header("content-type")), (200, "text/csv; charset=utf-8; header=present"));
    let text = file.text();
    assert!(text.starts_with("session_id,user,host,database_name,execution_status,command,sql_template,"), "{text}");
    assert_eq!(text.lines().count(), 4, "{text}");
    for id in &victims {
        let line = text.lines().find(|line| line.starts_with(&format!("{id},app,"))).unwrap();
        assert!(line.contains(",killed,") && line.contains("SLEEP(?)"), "{flavor}: {line}");
    }
    assert!(!text.contains("secret") && !text.contains("SLEEP(100"), "{text}");

    // The next kill matches no session. Two kills of the same millisecond have different ids.
    let (one, other) = (execute(&server).await.expect_status(200), execute(&server).await.expect_status(200));
    assert!(one["task_id"].as_str().unwrap() < other["task_id"].as_str().unwrap(), "{one} {other}");
    let empty = execute_and_wait(&server).await;
    let file = server.call(Method::GET, &link_path(&empty)).anonymous().send().await;
    assert_eq!(file.text().lines().count(), 1);
    let page = history(&server, "&limit=1&offset=3").await;
    assert_eq!(
        (&page["total_count"], &page["intelligent_kill_session_histories"][0]["task_id"]),
        (&json!(4), &entry["task_id"])
    );

    let audit = server.store.audit().list_audit_rows_after_seq(&AuditFilter::default(), 0, 1000).await.unwrap();
    let operations: Vec<_> = audit.iter().map(|row| row.event.operation.as_str()).collect();
    for (operation, count) in [
        ("ExecuteIntelligentKillSession", 4),
        ("EndIntelligentKill", 4),
        ("KillSession", 3),
        ("DownloadIntelligentKill", 2),
    ] {
        assert_eq!(operations.iter().filter(|known| **known == operation).count(), count, "{operation}");
    }
    let audit = format!("{audit:?}");
    let signature = link_path(&entry).split_once("signature=").unwrap().1.to_owned();
    assert!(!audit.contains("secret") && !audit.contains(&signature));
    server.shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn forged_and_expired_links_are_rejected() {
    let server = Server::start().await;
    let link = server.intelligent_kill_link().await;
    let other = server.intelligent_kill_link().await;
    let ask = async |path: &str| server.call(Method::GET, path).anonymous().send().await;
    assert_eq!(ask(&link).await.status, 200);
    let (path, query) = link.split_once('?').unwrap();
    let (expires, signature) = query.split_once('&').unwrap();
    let later: i64 = expires["expires=".len()..].parse::<i64>().unwrap() + 1;
    let flipped = if signature.ends_with('0') { "1" } else { "0" };
    for forged in [
        path.to_owned(),
        format!("{path}?{expires}"),
        format!("{path}?{signature}"),
        format!("{path}?expires={later}&{signature}"),
        format!("{path}?expires=%2B{}&{signature}", &expires["expires=".len()..]),
        format!("{path}?{expires}&{}{flipped}", &signature[..signature.len() - 1]),
        format!("{path}?{expires}&signature="),
        format!("{}?{query}", other.split_once('?').unwrap().0),
        format!("/clew/v1/intelligent-kills/x?{query}"),
    ] {
        let message = ask(&forged).await.expect_error(403, "DBS.280015");
        assert!(message.contains("copy the complete link"), "{forged}: {message}");
    }
    server.clock_forward(Duration::from_secs(3601));
    let message = ask(&link).await.expect_error(403, "DBS.280015");
    assert!(message.contains("request the kill history again"), "{message}");
}

#[tokio::test]
async fn queue_is_limited_and_stale_kills_are_not_executed() {
    let node = FakeServer::start(FakeServerOptions { sessions: 3, transactions: 0, fault: Fault::None }).await.unwrap();
    let mut server = Server::start().await;
    server.set_node_url(&node.url()).await;
    for _ in 0..8 {
        execute(&server).await.expect_status(200);
    }
    let message = execute(&server).await.expect_error(409, "DBS.200011");
    assert!(message.contains("Too many queued intelligent kills: the limit is 8 per node"), "{message}");
    server.clock_forward(Duration::from_secs(61));
    let running = tokio::spawn(server.intelligent_kills.clone().run(server.shutdown.clone()));
    while history(&server, "").await["total_count"] != 8 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let listed = history(&server, "").await;
    let entry = &listed["intelligent_kill_session_histories"][0];
    assert_eq!(entry["status"], "error");
    assert!(entry["reason"].as_str().unwrap().contains("request the kill again"), "{entry}");
    server.shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn invalid_requests_are_rejected() {
    let server = Server::start().await;
    let node = server.node();
    for (rest, reason) in [
        ("/statistic".to_owned(), "node_id is missing"),
        ("/history".to_owned(), "node_id is missing"),
        (format!("/history?node_id={node}&end_time=1"), "start_time is missing"),
        (format!("/history?node_id={node}&start_time=2&end_time=2"), "Invalid value for end_time"),
        (format!("/history?node_id={node}&start_time=-1&end_time=2"), "Invalid value for start_time"),
        (format!("/history?node_id={node}&start_time=1&end_time=2&limit=101"), "Invalid value for limit: 101"),
        (format!("/history?node_id={node}&start_time=1&end_time=2&offset=-1"), "Invalid value for offset: -1"),
    ] {
        let message = server.get(&path(&server, &rest)).await.expect_error(400, "DBS.280001");
        assert!(message.contains(reason), "{rest}: {message}");
    }
    for (body, reason) in [("", "Cannot read"), ("{}", "node_id is missing"), (r#"{"node":"x"}"#, "node")] {
        let message =
            server.call(Method::POST, &path(&server, "")).body(body).send().await.expect_error(400, "DBS.280001");
        assert!(message.contains(reason), "{body}: {message}");
    }
    let other = crate::server::new_instance(&server.tenant.project_id, "other");
    let foreign =
        server.store.instances().add_instance(&crate::server::test_origin(), other).await.unwrap().nodes[0].id.clone();
    server.get(&path(&server, &format!("/statistic?node_id={foreign}"))).await.expect_error(404, "DBS.290013");
    let body = json!({ "node_id": foreign }).to_string();
    server.call(Method::POST, &path(&server, "")).body(body).send().await.expect_error(404, "DBS.290013");
}
