//! Kill tasks survive a crash of Clew.

use std::net::SocketAddr;
use std::time::Duration;

use clew_client::{StartCollectionRequest, StreamSink};
use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, RawSession, open_idle_sessions};
use mysql_async::prelude::Queryable;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Home, RegisteredInstance, RunningService, http};

/// Timeout until a kill task kills a session. The timeout expires only if the kill task does not run.
const KILL_TIMEOUT: Duration = Duration::from_mins(1);

async fn send_request(
    home: &Home,
    serving: &RunningService,
    added: &RegisteredInstance,
    method: Method,
    rest: &str,
    body: Value,
) -> Value {
    let endpoint = &serving.endpoint;
    let path = format!("/v3/{}/instances/{}/process/{rest}", home.credential("project_id"), added.instance);
    let token = home.token(endpoint).await;
    let request = http().request(method, format!("{endpoint}{path}")).header("x-auth-token", token);
    let response = request.body(body.to_string()).send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap_or_default()
}

async fn start_busy_session(server: &DatabaseServer, user: &str) -> RawSession {
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut session = RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap();
    session.send_statement(b"SELECT SLEEP(600)").await.unwrap();
    session
}

async fn is_alive(server: &DatabaseServer, session: &RawSession) -> bool {
    let mut root = server.connect_as_root().await.unwrap();
    let query = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {}", session.id);
    let count: Option<u64> = root.query_first(query).await.unwrap();
    root.disconnect().await.unwrap();
    count == Some(1)
}

async fn wait_until_killed(server: &DatabaseServer, session: &RawSession) {
    let polling = async {
        while is_alive(server, session).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(KILL_TIMEOUT, polling).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn kill_tasks_resume_after_a_crash(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&["CREATE USER app@'%'", "CREATE USER web@'%'"]).await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&server.url()]);
    let mut serving = home.serve().await;
    send_request(&home, &serving, &added, Method::PUT, "task/switch", json!({ "status": "ON" })).await;
    let task = json!({ "user": "app", "time": 1, "task_type": "auto", "task_duration": 3600 });
    let task = send_request(&home, &serving, &added, Method::POST, "task", task).await["task_id"].clone();
    let first = start_busy_session(&server, "app").await;
    wait_until_killed(&server, &first).await;

    serving.kill();
    let (opened_during_outage, other) =
        (start_busy_session(&server, "app").await, start_busy_session(&server, "web").await);
    let serving = home.serve().await;
    wait_until_killed(&server, &opened_during_outage).await;
    assert!(is_alive(&server, &other).await);
    let history = send_request(&home, &serving, &added, Method::GET, "kill/history", Value::Null).await;
    let killed: Vec<_> =
        history["killed_sessions"].as_array().unwrap().iter().map(|kill| &kill["session_id"]).collect();
    assert_eq!(killed, [&json!(opened_during_outage.id), &json!(first.id)], "{history}");

    send_request(&home, &serving, &added, Method::PUT, "task", json!({ "task_id": task })).await;
    let listed = send_request(&home, &serving, &added, Method::GET, "task", Value::Null).await;
    assert_eq!(listed["processes"][0]["task_state"], "stopped");
    drop(serving);
    let serving = home.serve().await;
    let spared = start_busy_session(&server, "app").await;
    send_request(
        &home,
        &serving,
        &added,
        Method::POST,
        "task",
        json!({ "user": "web", "time": 1, "task_type": "manual" }),
    )
    .await;
    wait_until_killed(&server, &other).await;
    assert!(is_alive(&server, &spared).await, "a stopped task stays stopped");
}

/// Returns the number of sessions of other clients in a result of the API.
async fn collect_session_count(home: &Home, serving: &RunningService, added: &RegisteredInstance) -> usize {
    let client = home.client(serving);
    let (instance, node) = (&added.instance, &added.nodes[0]);
    let id = client.start_collection(instance, node, &StartCollectionRequest::default()).await.unwrap();
    client.wait_for_collection_task(instance, node, &id, KILL_TIMEOUT, |_, _| {}).await.unwrap();
    let mut target = StreamSink::new(Vec::new());
    client.download(instance, node, &id, &mut target, |_, _| {}).await.unwrap();
    csv::Reader::from_reader(target.into_inner().as_slice()).records().count()
}

/// A kill task opens connections with the ids that sessions of the restarted server get.
#[rstest]
#[tokio::test]
async fn api_lists_all_sessions_after_a_restart_with_a_kill_task(
    #[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor,
) {
    const SESSIONS: usize = 60;
    let mut server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&["CREATE USER app@'%'"]).await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&server.url()]);
    let serving = home.serve().await;
    send_request(&home, &serving, &added, Method::PUT, "task/switch", json!({ "status": "ON" })).await;
    let task = json!({ "user": "app", "time": 1, "task_type": "auto", "task_duration": 3600 });
    send_request(&home, &serving, &added, Method::POST, "task", task).await;
    let victim = start_busy_session(&server, "app").await;
    wait_until_killed(&server, &victim).await;
    for _ in 0..10 {
        collect_session_count(&home, &serving, &added).await;
    }

    server.process.kill().unwrap();
    server.restart().await.unwrap();
    let _sessions = open_idle_sessions(&server, SESSIONS).await.unwrap();
    // The server lists a session as a user session only after it has completed the login.
    let all_listed = async {
        while collect_session_count(&home, &serving, &added).await != SESSIONS {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let listed = tokio::time::timeout(Duration::from_secs(10), all_listed).await;
    assert!(listed.is_ok(), "{flavor}: {}", home.log());
    for _ in 0..3 {
        assert_eq!(collect_session_count(&home, &serving, &added).await, SESSIONS, "{flavor}");
    }
}
