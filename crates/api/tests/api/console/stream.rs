//! Live session list of a node: changes, sharing of samples, resumption, and the end of streams.

use std::net::SocketAddr;
use std::time::Duration;

use clew_model::{AccessKeyId, Failure, FailureKind};
use clew_store::{Grantee, IssuingCredentials, NewTemporaryAccessKey, PolicyRef};
use clew_testkit::{ClientCharset, DatabaseServerOptions, FakeServer, FakeServerOptions, Fault, Flavor, RawSession};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use mysql_async::prelude::Queryable;
use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::events::{Event, Events};
use crate::server::{Server, test_origin};

pub(super) async fn node(flavor: Flavor) -> clew_testkit::DatabaseServer {
    clew_testkit::DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap()
}

/// Starts an API server whose first node is at this URL.
pub(super) async fn watching(url: &str) -> Server {
    // All streams of a test have the same user.
    let mut server = Server::start_with(|settings, _| settings.max_streams_per_principal = 64).await;
    server.set_node_url(url).await;
    server
}

pub(super) async fn session(node: &clew_testkit::DatabaseServer) -> RawSession {
    RawSession::open(SocketAddr::from(([127, 0, 0, 1], node.port())), "root", None, ClientCharset::Utf8mb4)
        .await
        .unwrap()
}

/// Path below the first node in Clew's own API.
pub(super) fn path(server: &Server, rest: &str) -> String {
    format!("/clew/v1/{}/instances/{}/nodes/{}/{rest}", server.tenant.project_id, server.instance.id, server.node())
}

async fn watch(server: &Server) -> Events {
    Events::open(server.call(Method::GET, &path(server, "stream"))).await
}

fn column_index(snapshot: &Event, column: &str) -> usize {
    let columns = snapshot.data["columns"].as_array().unwrap();
    columns.iter().position(|name| name == column).unwrap_or_else(|| panic!("no {column}"))
}

/// Returns the value of a column in a row or a changed row; `None` if the row does not contain it.
fn cell(row: &Value, column: usize) -> Option<&Value> {
    row.get(column).or_else(|| row.get(column.to_string()))
}

/// Reads events until one matches. Returns the event, and the number of events before it.
async fn await_change(events: &mut Events, is_match: impl Fn(&Event) -> bool) -> (Event, u64) {
    let mut before = 0;
    loop {
        let event = events.expect("changes", &["limitations"]).await;
        if is_match(&event) {
            return (event, before);
        }
        before += 1;
        assert!(before < 60, "no matching event: {event:?}");
    }
}

#[rstest]
#[tokio::test]
async fn changes_of_sessions_are_streamed(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node = node(flavor).await;
    let server = watching(&node.url()).await;
    let idle = session(&node).await;
    let mut events = watch(&server).await;
    let first = events.expect("snapshot", &[]).await;
    let data = &first.data;
    assert_eq!((&data["masked"], &data["running"]), (&json!(false), &json!([7, 8, 10])), "{data}");
    assert!(data["at"].is_u64() && data["interval_ms"].as_u64() >= Some(1000), "{data}");
    let [user, command, statement, template] =
        ["user", "command", "sql_statement", "sql_template"].map(|name| column_index(&first, name));
    let row = &data["sessions"][idle.id.to_string()];
    assert_eq!((&row[user], &row[command], &row[statement]), (&json!("root"), &json!("Sleep"), &Value::Null), "{data}");
    assert_eq!((data["counts"]["total"].as_u64(), data["counts"]["active"].as_u64()), (Some(1), Some(0)), "{data}");

    let mut busy = session(&node).await;
    busy.send_statement(b"SELECT SLEEP(1000), 'secret'").await.unwrap();
    let id = busy.id.to_string();
    let runs = |event: &Event| {
        let row = &event.data["changed"][&id];
        cell(row, statement) == Some(&json!("SELECT SLEEP(1000), 'secret'"))
    };
    let (event, before) = await_change(&mut events, runs).await;
    if event.data["interval_ms"] == 1000 {
        // The sample in progress when the statement began, and the next: within two seconds.
        assert!(before <= 2, "{before}");
    }
    assert_eq!(cell(&event.data["changed"][&id], template), Some(&json!("SELECT SLEEP(?), ?")), "{event:?}");
    assert_eq!(event.data["counts"]["active"], 1);
    assert!(
        event.data["changed"].get(idle.id.to_string()).is_none(),
        "an idle session must not be reported as changed: {event:?}"
    );
    drop(idle);
    node.run_statements(&[&format!("KILL {}", busy.id)]).await.unwrap();
    let gone = |event: &Event| event.data["gone"].as_array().unwrap().contains(&json!(busy.id));
    await_change(&mut events, gone).await;
}

#[tokio::test]
async fn disabled_performance_schema_is_reported_as_a_limitation_on_mysql() {
    let options = DatabaseServerOptions {
        arguments: vec!["--performance-schema=OFF".into()],
        ..DatabaseServerOptions::default()
    };
    let node = clew_testkit::DatabaseServer::start(Flavor::MySql, &options).await.unwrap();
    let server = watching(&node.url()).await;
    let idle = session(&node).await;
    let first = watch(&server).await.expect("snapshot", &[]).await;
    assert!(first.data["sessions"].get(idle.id.to_string()).is_some(), "{first:?}");
    let limitations = first.data["limitations"].as_array().unwrap();
    let limitation = limitations.iter().find(|one| one["kind"] == "no_performance_schema").unwrap();
    assert_eq!(limitation["why"], "performance_schema is OFF and can only be enabled at server start.");
    let chinese = json!({
        "what": "无法读取元数据锁及InnoDB之外的其他锁等待。",
        "why": "performance_schema为OFF，只能在数据库启动时开启。",
        "remedy": "performance_schema = ON（在数据库配置文件中设置）",
    });
    assert_eq!(limitation["zh_cn"], chinese);
}

/// Returns the number of statements that the node has received, including this one.
async fn statement_count(node: &clew_testkit::DatabaseServer) -> u64 {
    let mut root = node.connect_as_root().await.unwrap();
    let status: Option<(String, u64)> = root.query_first("SHOW GLOBAL STATUS LIKE 'Questions'").await.unwrap();
    root.disconnect().await.unwrap();
    status.unwrap().1
}

fn version(event: &Event) -> u64 {
    event.id.as_ref().unwrap().split_once('-').unwrap().1.parse().unwrap()
}

#[rstest]
#[tokio::test]
async fn subscribers_share_one_sample(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node = node(flavor).await;
    let server = watching(&node.url()).await;
    let count_cost = statement_count(&node).await;
    let count_cost = statement_count(&node).await - count_cost;
    // Measures the statements of several samples, without the first one, which probes the server.
    let cost = async |events: &mut Events| {
        let from = events.expect("changes", &["limitations"]).await;
        let before = statement_count(&node).await;
        let to = loop {
            let event = events.expect("changes", &["limitations"]).await;
            if version(&event) >= version(&from) + 5 {
                break event;
            }
        };
        let samples = version(&to) - version(&from);
        (statement_count(&node).await - before - count_cost, samples)
    };
    let mut first = watch(&server).await;
    first.expect("snapshot", &[]).await;
    let (one, samples_of_one) = cost(&mut first).await;
    let mut all = Vec::new();
    for _ in 0..49 {
        let mut events = watch(&server).await;
        let snapshot = events.expect("snapshot", &["changes"]).await;
        assert!(snapshot.data["sessions"].is_object());
        all.push(events);
    }
    let (fifty, samples_of_fifty) = cost(&mut first).await;
    // One more sample may be in progress at either end of a measurement. Separate samples would be fifty times as many.
    let per_sample = one.div_ceil(samples_of_one);
    assert!(
        one > 0 && fifty <= per_sample * (samples_of_fifty + 2),
        "{flavor}: {one} in {samples_of_one}, {fifty} in {samples_of_fifty}"
    );
    for events in &mut all {
        events.expect("changes", &["limitations"]).await;
    }
    // Without subscribers, only the statement that counts is received after the sample in progress.
    drop((first, all));
    for attempt in 0.. {
        let before = statement_count(&node).await;
        sleep(Duration::from_secs(3)).await;
        if statement_count(&node).await - before == count_cost {
            break;
        }
        assert!(attempt < 20, "{flavor}: the node is sampled without subscribers");
    }
}

async fn fake_node() -> FakeServer {
    FakeServer::start(FakeServerOptions { sessions: 3, transactions: 1, fault: Fault::None }).await.unwrap()
}

#[tokio::test]
async fn last_event_id_resumes_the_stream() {
    let node = fake_node().await;
    let server = watching(&node.url()).await;
    let mut events = watch(&server).await;
    let id = events.expect("snapshot", &[]).await.id.unwrap();
    drop(events);
    let resume = async |id: &str| {
        let mut events =
            Events::open(server.call(Method::GET, &path(&server, "stream")).header("last-event-id", id)).await;
        events.next().await.unwrap().name
    };
    assert_eq!(resume(&id).await, "changes");
    let mut by_query =
        Events::open(server.call(Method::GET, &path(&server, &format!("stream?last_event_id={id}")))).await;
    assert_eq!(by_query.next().await.unwrap().name, "changes");
    let (watch, version) = id.split_once('-').unwrap();
    let version: u64 = version.parse().unwrap();
    for other in ["", "nonsense", "00000000-1", &format!("{watch}-0"), &format!("{watch}-{}", version + 1_000_000)] {
        assert_eq!(resume(other).await, "snapshot", "{other}");
    }
}

#[tokio::test]
async fn stream_ends_with_its_credentials() {
    let node = fake_node().await;
    let server = watching(&node.url()).await;
    let reader = server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await;
    let open_with_token = async |token: &str| {
        let mut events = Events::open(server.call(Method::GET, &path(&server, "stream")).token(token)).await;
        events.expect("snapshot", &[]).await;
        events
    };
    // A revoked token.
    let token = server.project_token(&reader).await;
    let mut revoked = open_with_token(&token).await;
    server.store.identities().revoke_token(&test_origin(), &clew_iam::token::hash_token(&token)).await.unwrap();
    // A token that expires.
    let mut short = open_with_token(&server.token_of(&reader, Some(&server.tenant.project_id), 3).await).await;
    // A temporary key that expires.
    let secret: SecretString = "0123456789012345678901234567890123456789".into();
    let key = NewTemporaryAccessKey {
        user_id: reader.clone(),
        id: AccessKeyId::generate(),
        secret: secret.clone(),
        token_hash: clew_iam::token::hash_token("plain"),
        expires_at: Timestamp::now().as_second() + 5,
        issued_for: IssuingCredentials::CommandLine,
    };
    server.store.identities().create_temporary_key(&test_origin(), &key).await.unwrap();
    let call = server.call(Method::GET, &path(&server, "stream")).header("x-security-token", "plain");
    let mut temporary = Events::open(call.signed(&key.id, &secret, SignedDuration::ZERO)).await;
    temporary.expect("snapshot", &[]).await;
    // A disabled user.
    let mut other = open_with_token(&server.project_token(&reader).await).await;
    for events in [&mut revoked, &mut short, &mut temporary] {
        let end = events.expect("end", &["changes", "limitations"]).await;
        assert_eq!(end.data, json!({ "reason": "token" }));
        assert!(events.next().await.is_none());
    }
    other.expect("changes", &[]).await;
    let change = clew_store::UserChange { enabled: Some(false), ..Default::default() };
    assert!(server.store.identities().update_user(&test_origin(), &reader, &change).await.unwrap());
    assert_eq!(other.expect("end", &["changes", "limitations"]).await.data["reason"], "token");
}

#[tokio::test]
async fn stream_ends_with_the_permission_and_with_the_instance() {
    let node = fake_node().await;
    let server = watching(&node.url()).await;
    let reader = server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await;
    let signer = server.key_of(&reader).await;
    let mut events = Events::open(signer.sign(server.call(Method::GET, &path(&server, "stream")))).await;
    events.expect("snapshot", &[]).await;
    let policy = PolicyRef::System("TaurusDBReadOnlyAccessPolicy".into());
    assert!(
        server.store.policies().detach_policy(&test_origin(), &policy, &Grantee::User(reader), None).await.unwrap()
    );
    assert_eq!(events.expect("end", &["changes", "limitations"]).await.data["reason"], "forbidden");

    let mut events = Events::open(server.sign(server.call(Method::GET, &path(&server, "stream")))).await;
    events.expect("snapshot", &[]).await;
    let (project, instance) = (&server.tenant.project_id, &server.instance.id);
    assert!(server.store.instances().remove_instance(&test_origin(), project, instance).await.unwrap());
    assert_eq!(events.expect("end", &["changes", "limitations", "read-error"]).await.data["reason"], "gone");
}

#[tokio::test]
async fn stream_ends_when_the_server_stops() {
    let node = fake_node().await;
    let mut server = watching(&node.url()).await;
    let mut events = watch(&server).await;
    events.expect("snapshot", &[]).await;
    server.shutdown.cancel();
    assert_eq!(events.expect("end", &["changes"]).await.data, json!({ "reason": "shutdown" }));
    assert!(events.next().await.is_none());
    // The server does not wait for open streams: the grace period is half a minute.
    let stopped = tokio::time::timeout(Duration::from_secs(20), &mut server.serving).await;
    stopped.expect("server waits for a subscriber").unwrap().unwrap();
}

#[tokio::test]
async fn failures_to_read_the_node_are_streamed_repeatedly() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = watching(&format!("mysql://root@127.0.0.1:{port}/?tls=off")).await;
    let mut events = watch(&server).await;
    let error = events.expect("read-error", &[]).await;
    assert_eq!(error.data["kind"], "unreachable", "{error:?}");
    assert!(error.data["reason"].as_str().unwrap().contains("127.0.0.1") && error.data["at"].is_u64());
    assert!(!error.text.contains("nodepass"));
    assert_eq!(events.expect("read-error", &[]).await.data["kind"], "unreachable", "sampling must be retried");
}

/// Returns the node's own count of failed logins since its start.
async fn failed_logins(node: &clew_testkit::DatabaseServer) -> u64 {
    let mut connection = node.connect_as_root().await.unwrap();
    let row: Option<(String, u64)> =
        connection.query_first("SHOW GLOBAL STATUS LIKE 'Aborted_connects'").await.unwrap();
    connection.disconnect().await.unwrap();
    row.unwrap().1
}

#[rstest]
#[tokio::test]
async fn feed_backs_off_after_refused_logins(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node = node(flavor).await;
    node.run_statements(&["CREATE USER clew IDENTIFIED BY 'new'"]).await.unwrap();
    let tls = if flavor == Flavor::MySql { "required" } else { "off" };
    let server = watching(&format!("{}?tls={tls}", node.url_for_account("clew", "old"))).await;
    let before = failed_logins(&node).await;
    let mut events = watch(&server).await;
    let first = events.expect("read-error", &[]).await;
    assert_eq!(first.data["kind"], "access-denied", "{first:?}");
    // Simulates several refusals, so that the backoff does not end during the test.
    let refused = server.store.instances().find_node_with_password(&server.node()).await.unwrap().unwrap();
    let failure = Failure::new(FailureKind::AccessDenied, "error 1045");
    server.store.instances().record_login_refusal(&refused, 9, &failure).await.unwrap();
    for _ in 0..3 {
        let further = events.expect("read-error", &[]).await;
        let reason = further.data["reason"].as_str().unwrap();
        assert!(reason.contains("times in a row"), "{flavor}: {reason}");
    }
    assert_eq!(failed_logins(&node).await - before, 1, "{flavor}");
}

#[tokio::test]
async fn interval_is_applied_and_validated() {
    let server = Server::start().await;
    for interval in ["0", "61", "x", "-1"] {
        server.get(&path(&server, &format!("stream?interval={interval}"))).await.expect_error(400, "DBS.280001");
    }
    let node = fake_node().await;
    let server = watching(&node.url()).await;
    let mut slow = Events::open(server.call(Method::GET, &path(&server, "stream?interval=3"))).await;
    let mut quick = watch(&server).await;
    let first = slow.expect("snapshot", &[]).await;
    let second = slow.expect("changes", &[]).await;
    assert!(version(&second) >= version(&first) + 2, "several samples per event: {first:?} {second:?}");
    let quick = [quick.expect("snapshot", &[]).await, quick.expect("changes", &[]).await];
    assert_eq!(version(&quick[1]), version(&quick[0]) + 1);
}

#[tokio::test]
async fn session_cookie_authorizes_the_stream() {
    let node = fake_node().await;
    let mut server = super::session::server().await;
    server.set_node_url(&node.url()).await;
    let browser = super::session::Browser::sign_in(&server).await;
    let mut events = Events::open(browser.call(&server, Method::GET, &path(&server, "stream"))).await;
    events.expect("snapshot", &[]).await;
    let elsewhere = browser.call(&server, Method::GET, &path(&server, "stream")).header("sec-fetch-site", "cross-site");
    elsewhere.send().await.expect_error(403, "APIGW.0301");
    browser.page(&server, Method::DELETE, "/clew/v1/console/session").send().await;
    assert_eq!(events.expect("end", &["changes", "limitations"]).await.data["reason"], "token");
}

#[tokio::test]
async fn slow_nodes_are_sampled_less_often() {
    // Sends three sessions, one every tenth of a second.
    let fault = Fault::DelayPerRow(Duration::from_millis(100));
    let node = FakeServer::start(FakeServerOptions { sessions: 3, transactions: 0, fault }).await.unwrap();
    let server = watching(&node.url()).await;
    let first = watch(&server).await.expect("snapshot", &[]).await;
    let interval = first.data["interval_ms"].as_u64().unwrap();
    assert!((3000..=30_000).contains(&interval), "{interval}");
}
