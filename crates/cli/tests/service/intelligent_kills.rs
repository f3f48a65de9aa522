//! If Clew crashes during an intelligent kill, the kill runs at most once, and the outcome is recorded.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession};
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::net::TcpListener;

use crate::harness::{Home, RegisteredInstance, RunningService, http};

async fn execute_sql(home: &Home, statement: &str) {
    let mut database = home.metadata().await;
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

async fn is_running(home: &Home) -> bool {
    let mut database = home.metadata().await;
    let status: Vec<String> =
        sqlx::query_scalar("SELECT status FROM intelligent_kills").fetch_all(&mut database).await.unwrap();
    database.close().await.unwrap();
    status == ["running"]
}

fn intelligent_kill_path(home: &Home, serving: &RunningService, added: &RegisteredInstance, rest: &str) -> String {
    let project = home.credential("project_id");
    format!("{}/v3/{project}/instances/{}/intelligent-kill-session{rest}", serving.endpoint, added.instance)
}

async fn start_intelligent_kill(
    home: &Home,
    serving: &RunningService,
    added: &RegisteredInstance,
    node: usize,
) -> String {
    let token = home.token(&serving.endpoint).await;
    let body = json!({ "node_id": added.nodes[node].as_str() });
    let response = http()
        .post(intelligent_kill_path(home, serving, added, ""))
        .header("x-auth-token", token)
        .json(&body)
        .send()
        .await;
    let json: Value = response.unwrap().error_for_status().unwrap().json().await.unwrap();
    json["task_id"].as_str().unwrap().to_owned()
}

/// Waits for the only intelligent kill of a node to complete. Returns its history entry.
async fn wait_for_history(home: &Home, serving: &RunningService, added: &RegisteredInstance, node: usize) -> Value {
    let token = home.token(&serving.endpoint).await;
    let query = format!("/history?node_id={}&start_time=0&end_time=9999999999999", added.nodes[node]);
    loop {
        let response = http()
            .get(intelligent_kill_path(home, serving, added, &query))
            .header("x-auth-token", &token)
            .send()
            .await
            .unwrap();
        let json: Value = response.error_for_status().unwrap().json().await.unwrap();
        if let [entry] = &json["intelligent_kill_session_histories"].as_array().unwrap()[..] {
            return entry.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn interrupted_intelligent_kill_fails_and_is_not_repeated() {
    // A listener that never responds keeps the kill in progress.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&format!("mysql://root@{address}/?tls=off")]);
    let mut serving = home.serve().await;
    let task_id = start_intelligent_kill(&home, &serving, &added, 0).await;
    while !is_running(&home).await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    serving.kill();
    let serving = home.serve().await;
    let entry = wait_for_history(&home, &serving, &added, 0).await;
    assert_eq!((&entry["task_id"], &entry["status"]), (&json!(task_id), &json!("error")), "{}", home.log());
    assert!(entry["reason"].as_str().unwrap().contains("Clew terminated during the kill"), "{entry}");
    let file = http().get(entry["download_link"].as_str().unwrap()).send().await.unwrap();
    assert_eq!((file.status().as_u16(), file.text().await.unwrap().lines().count()), (200, 1));
    assert!(!home.log().contains("signature"), "{}", home.log());
}

#[tokio::test]
async fn queued_intelligent_kill_runs_after_restart_only_if_recent() {
    let server = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await.unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut victim = RawSession::open(address, "root", None, ClientCharset::Utf8mb4).await.unwrap();
    victim.send_statement(b"SELECT SLEEP(1000)").await.unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&format!("mysql://root@{}/?tls=off", silent.local_addr().unwrap()), &server.url()]);
    execute_sql(&home, "UPDATE instances SET slow_threshold = 1").await;
    let mut serving = home.serve().await;
    start_intelligent_kill(&home, &serving, &added, 0).await;
    while !is_running(&home).await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    serving.kill();

    // Moves the request to the other node and back to the queue: first as an old request, then as a recent one.
    let requeue = "UPDATE intelligent_kills SET status = 'queued', lease_until = NULL, reason = NULL, ended_at = NULL, \
         node_id = (SELECT id FROM nodes WHERE role = 'slave')";
    execute_sql(&home, requeue).await;
    execute_sql(&home, "UPDATE intelligent_kills SET id = id - 61000").await;
    let mut serving = home.serve().await;
    let entry = wait_for_history(&home, &serving, &added, 1).await;
    assert!(entry["reason"].as_str().unwrap().contains("was not started"), "{entry}");
    serving.kill();
    assert!(session_seconds(&server, victim.id).await.is_some(), "{}", home.log());

    execute_sql(&home, requeue).await;
    while session_seconds(&server, victim.id).await.is_none_or(|seconds| seconds < 2) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    execute_sql(&home, &format!("UPDATE intelligent_kills SET id = {now}")).await;
    let serving = home.serve().await;
    let entry = wait_for_history(&home, &serving, &added, 1).await;
    assert_eq!(entry["status"], "finished", "{entry}");
    let file = http().get(entry["download_link"].as_str().unwrap()).send().await.unwrap().text().await.unwrap();
    assert!(file.contains(&format!("{},root,", victim.id)) && file.contains(",killed,"), "{file}");
    assert!(victim.wait_for_response().await.is_err() || victim.execute("DO 1").await.is_err());
}

/// Returns how many seconds a session has been in its current state, or `None` if the session does not exist.
async fn session_seconds(server: &DatabaseServer, id: u64) -> Option<u64> {
    let mut root = server.connect_as_root().await.unwrap();
    let statement = format!("SELECT time FROM information_schema.processlist WHERE id = {id}");
    let seconds = root.query_first(statement).await.unwrap();
    root.disconnect().await.unwrap();
    seconds
}
