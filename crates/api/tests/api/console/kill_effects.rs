//! Costs and effects of kills: risks and warnings of the previews, the effect afterwards, and the confirmation of a task for all sessions.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clew_testkit::{ConnectionIdRewrite, Flavor, PacketAction, RawSession, RewriteRules, RewritingProxy};
use http::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::session::Browser;
use super::stream::{node, path, session, watching};
use crate::server::Server;

async fn kill(server: &Server, body: &Value) -> Value {
    server.call(Method::POST, &path(server, "kill")).body(body.to_string()).send().await.expect_status(200)
}

/// Path of a route of the TaurusDB API below the instance.
fn instance_path(server: &Server, rest: &str) -> String {
    format!("/v3/{}/instances/{}/{rest}", server.tenant.project_id, server.instance.id)
}

/// A session as the page sends it in a kill request.
fn selected_session(session: &RawSession) -> Value {
    json!({ "id": session.id, "user": "root", "host": session.address.to_string() })
}

/// Starts a node with an idle session that holds a row lock, and sessions that wait for the lock.
async fn start_blocked(flavor: Flavor, waiters: usize) -> (clew_testkit::DatabaseServer, RawSession, Vec<RawSession>) {
    let node = node(flavor).await;
    let tables = [
        "SET GLOBAL innodb_lock_wait_timeout = 600",
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)",
        "INSERT INTO shop.t VALUES (1, 0)",
        "CREATE TABLE shop.log (id INT PRIMARY KEY, v INT) ENGINE = MyISAM",
    ];
    node.run_statements(&tables).await.unwrap();
    let mut root = session(&node).await;
    root.execute("START TRANSACTION").await.unwrap();
    root.execute("UPDATE shop.t SET v = 1").await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..waiters {
        let mut waiter = session(&node).await;
        waiter.send_statement(b"UPDATE shop.t SET v = 2").await.unwrap();
        waiting.push(waiter);
    }
    (node, root, waiting)
}

/// Polls until `read` returns a value, for at most a minute.
async fn poll_until<T>(mut read: impl AsyncFnMut() -> Option<T>) -> T {
    let reading = async {
        loop {
            if let Some(found) = read().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), reading).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn surviving_root_blocker_and_effect_of_its_kill_are_reported(
    #[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor,
) {
    let (node, root, waiters) = start_blocked(flavor, 8).await;
    let server = watching(&node.url()).await;
    let by = crate::server::test_origin();
    let (project, instance) = (&server.tenant.project_id, &server.instance.id);
    let second = clew_model::SlowSessionThreshold::new(1).unwrap();
    server
        .store
        .instances()
        .set_slow_session_threshold(&by, project, std::slice::from_ref(instance), second)
        .await
        .unwrap();
    let expected = format!("8 of 8 wait for session {}, root@127.0.0.1, idle for ", root.id);
    let statistic = instance_path(&server, &format!("intelligent-kill-session/statistic?node_id={}", server.node()));
    let preview = poll_until(async || {
        let preview = server.get(&statistic).await.expect_status(200);
        (preview["statistics"][0]["count"] == 8 && preview["warnings"].is_array()).then_some(preview)
    })
    .await;
    let [warning] = &preview["warnings"].as_array().unwrap()[..] else { panic!("{flavor}: {preview}") };
    assert_eq!((&warning["kind"], &warning["session_id"]), (&json!("surviving_root_blocker"), &json!(root.id)));
    let message = warning["message"].as_str().unwrap();
    assert!(message.starts_with(&expected), "{flavor}: {message}");
    assert!(message.ends_with(", which is not among the victims"), "{flavor}: {message}");
    let chinese = server.get_in_chinese(&statistic).await.expect_status(200)["warnings"][0]["message"].clone();
    assert!(chinese.as_str().unwrap().contains("有 8 个在等待会话"), "{chinese}");

    // The same warning for selected sessions.
    let sessions: Vec<Value> = waiters.iter().map(selected_session).collect();
    let selected = kill(&server, &json!({ "sessions": sessions, "what": "connection", "preview": true })).await;
    let warnings = selected["warnings"].as_array().unwrap();
    assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().starts_with(&expected), "{selected}");
    // A selection can be previewed in several requests: all of its victims count.
    let ids: Vec<u64> = waiters.iter().map(|waiter| waiter.id).collect();
    let part = async |others: &[u64]| {
        let body = json!({ "sessions": sessions[..4], "what": "connection", "preview": true, "other_victims": others });
        kill(&server, &body).await["warnings"].clone()
    };
    let of_all = part(&ids[4..]).await;
    assert!(of_all[0].as_str().is_some_and(|warning| warning.starts_with(&expected)), "{flavor}: {of_all}");
    assert_eq!(part(&[root.id]).await, json!([]), "{flavor}");
    let with_root = [sessions, vec![selected_session(&root)]].concat();
    let all = kill(&server, &json!({ "sessions": with_root, "what": "connection", "preview": true })).await;
    assert_eq!(all["warnings"], json!([]), "{flavor}: {all}");

    // Killing the root blocker unblocks one waiter, which finishes immediately, and so all waiters.
    let killed = kill(&server, &json!({ "sessions": [selected_session(&root)], "what": "connection" })).await;
    let mut ids: Vec<u64> = waiters.iter().map(|waiter| waiter.id).collect();
    ids.sort_unstable();
    // MariaDB disables performance_schema by default.
    let hidden_waits = flavor == Flavor::MariaDb;
    let effect = json!({ "rows_rolled_back": 1, "unblocked": ids, "still_waiting": [], "hidden_waits": hidden_waits, "unknown": null });
    assert_eq!(killed["effect"], effect, "{flavor}: {killed}");
}

#[rstest]
#[tokio::test]
async fn unsafe_sessions_are_reported_in_previews(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let (node, mut holder, _) = start_blocked(flavor, 0).await;
    let server = watching(&node.url()).await;
    holder.execute("COMMIT").await.unwrap();
    holder.execute("LOCK TABLES shop.log READ").await.unwrap();
    let mut repair = session(&node).await;
    repair.send_statement(b"REPAIR TABLE shop.log").await.unwrap();
    let expected = "REPAIR TABLE runs on shop.log (MyISAM), whose engine has no transactions.";

    let body = json!({ "sessions": [selected_session(&repair)], "what": "connection", "preview": true });
    let risks = poll_until(async || {
        let preview = kill(&server, &body).await;
        let risks = preview["sessions"][0]["session"]["risks"].clone();
        risks.as_array().is_some_and(|risks| !risks.is_empty()).then_some(risks)
    })
    .await;
    assert_eq!((&risks[0]["kind"], &risks[0]["unsafe"]), (&json!("table_damage"), &json!(true)), "{flavor}: {risks}");
    assert!(risks[0]["message"].as_str().unwrap().starts_with(expected), "{flavor}: {risks}");
    assert!(risks[0]["message"].as_str().unwrap().contains("(errors 144, 145)"), "{flavor}: {risks}");

    let preview = async |rest: &str| {
        let query = instance_path(&server, &format!("process/task/preview?time=1&info=repair{rest}"));
        server.get(&query).await.expect_status(200)
    };
    // Both nodes of the instance are this one server.
    let spared = poll_until(async || {
        let preview = preview("").await;
        preview["spared"].as_array().is_some_and(|spared| spared.len() == 2).then_some(preview)
    })
    .await;
    assert_eq!((&spared["total_count"], &spared["processes"]), (&json!(0), &json!([])), "{spared}");
    assert_eq!(spared["spared_count"], json!(2), "{spared}");
    assert_eq!(
        (&spared["spared"][0]["id"], &spared["spared"][0]["risk"]["kind"]),
        (&json!(repair.id), &json!("table_damage"))
    );
    let opted_in = preview("&include_unsafe=true").await;
    assert_eq!((&opted_in["total_count"], opted_in.get("spared")), (&json!(2), None), "{flavor}: {opted_in}");
    assert_eq!(opted_in.get("spared_count"), None, "{flavor}: {opted_in}");

    let by = crate::server::test_origin();
    let (project, instance) = (&server.tenant.project_id, &server.instance.id);
    let second = clew_model::SlowSessionThreshold::new(1).unwrap();
    server
        .store
        .instances()
        .set_slow_session_threshold(&by, project, std::slice::from_ref(instance), second)
        .await
        .unwrap();
    let statistic = instance_path(&server, &format!("intelligent-kill-session/statistic?node_id={}", server.node()));
    let warning = poll_until(async || {
        let warnings = server.get(&statistic).await.expect_status(200)["warnings"].clone();
        warnings.as_array()?.iter().find(|warning| warning["kind"] == "table_damage").cloned()
    })
    .await;
    let message = format!("Session {} is spared: {expected}", repair.id);
    assert!(warning["message"].as_str().unwrap().starts_with(&message), "{flavor}: {warning}");
    let running = tokio::spawn(server.intelligent_kills.clone().run(server.shutdown.clone()));
    let body = json!({ "node_id": server.node() }).to_string();
    server
        .call(Method::POST, &instance_path(&server, "intelligent-kill-session"))
        .body(body)
        .send()
        .await
        .expect_status(200);
    let refused = poll_until(async || {
        let kills = server.get(&path(&server, "kills")).await.expect_status(200)["kills"].clone();
        kills.as_array()?.iter().find(|kill| kill["outcome"] == "refused").cloned()
    })
    .await;
    assert_eq!((&refused["session_id"], &refused["source"]), (&json!(repair.id), &json!("intelligent")), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains(expected), "{flavor}: {refused}");
    running.abort();
}

fn address(node: &clew_testkit::DatabaseServer) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, node.port()).into()
}

#[rstest]
#[tokio::test]
async fn killed_statement_of_a_slow_server_is_reported_as_killed(
    #[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor,
) {
    let (node, mut busy, _) = start_blocked(flavor, 0).await;
    // Delays both reads of transactions, before and after the kill, for longer than the tolerance of start times.
    let effect = Some(("trx_tables_locked", PacketAction::Delay(Duration::from_secs(2))));
    let proxy =
        RewritingProxy::start(address(&node), RewriteRules { effect, ..RewriteRules::default() }).await.unwrap();
    let server = watching(&proxy.url("root")).await;
    let since = jiff::Timestamp::now().as_millisecond();
    busy.send_statement(b"SELECT SLEEP(1000)").await.unwrap();
    let detail = path(&server, &format!("sessions/{}", busy.id));
    poll_until(async || server.get(&detail).await.expect_status(200)["statement"].is_string().then_some(())).await;
    let mut session = selected_session(&busy);
    session["since"] = json!(since);
    let body = |preview: bool| json!({ "sessions": [session], "what": "query", "preview": preview });
    let preview = kill(&server, &body(true)).await;
    assert_eq!(preview["sessions"][0]["outcome"], "would_kill", "{flavor}: {preview}");
    let killed = kill(&server, &body(false)).await;
    assert_eq!(killed["sessions"][0]["outcome"], "killed", "{flavor}: {killed}");
    let audited = server.audit_of("KillSessions").await.pop().unwrap().event.detail;
    assert_eq!((&audited["killed"], &audited["refused"]), (&json!([busy.id]), &Value::Null), "{flavor}: {audited}");
}

#[tokio::test]
async fn preview_of_a_kill_through_a_proxy_shows_the_refusal() {
    for flavor in Flavor::ALL {
        let node = node(flavor).await;
        let idle = session(&node).await;
        let rewrite = RewriteRules { greeting_id: ConnectionIdRewrite::From(7000), ..RewriteRules::default() };
        let proxy = RewritingProxy::start(address(&node), rewrite).await.unwrap();
        let server = watching(&proxy.url("root")).await;
        let body =
            |preview: bool| json!({ "sessions": [selected_session(&idle)], "what": "connection", "preview": preview });
        let (preview, killed) = (kill(&server, &body(true)).await, kill(&server, &body(false)).await);
        for response in [&preview, &killed] {
            let session = &response["sessions"][0];
            assert_eq!(session["outcome"], "refused", "{flavor}: {response}");
            assert!(session["message"].as_str().unwrap().contains("kill on the server itself"), "{flavor}: {response}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn refused_login_of_a_preview_is_recorded(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node = node(flavor).await;
    node.run_statements(&["CREATE USER clew@'%'", "GRANT PROCESS ON *.* TO clew@'%'"]).await.unwrap();
    if flavor == Flavor::MySql {
        node.run_statements(&["GRANT SELECT ON performance_schema.* TO clew@'%'"]).await.unwrap();
    }
    let effect = Some(("PROCESSLIST", PacketAction::HoldResponse));
    let proxy =
        RewritingProxy::start(address(&node), RewriteRules { effect, ..RewriteRules::default() }).await.unwrap();
    let server = watching(&proxy.url("clew")).await;
    let idle = session(&node).await;
    let body = json!({ "sessions": [selected_session(&idle)], "what": "connection", "preview": true });
    let preview = server.call(Method::POST, &path(&server, "kill")).body(body.to_string()).send();
    // The password changes while the sessions are listed: the costs are read over another connection, whose login fails.
    let change = async {
        proxy.wait_until_packet_is_held().await;
        node.run_statements(&["ALTER USER clew@'%' IDENTIFIED BY 'new'"]).await.unwrap();
        proxy.set_rewrite_rules(RewriteRules::default());
        proxy.release_held_packets();
    };
    let (preview, ()) = tokio::join!(preview, change);
    let preview = preview.expect_status(200);
    assert_eq!(preview["sessions"][0]["outcome"], "would_kill", "{flavor}: {preview}");
    assert!(preview["costs_unknown"].as_str().unwrap().contains("1045"), "{flavor}: {preview}");
    let backoff = server.store.instances().find_login_backoff(&server.node()).await.unwrap().unwrap();
    assert_eq!(backoff.refusals, 1, "{flavor}: {backoff:?}");
}

#[tokio::test]
async fn page_requires_the_instance_name_for_a_task_for_all_sessions() {
    let server = super::session::server().await;
    let browser = Browser::of_user(&server, "operator", "TaurusDBFullAccessPolicy").await;
    let switch = instance_path(&server, "process/task/switch");
    server.call(Method::PUT, &switch).body(json!({ "status": "ON" }).to_string()).send().await;
    let tasks = instance_path(&server, "process/task");
    let page = async |body: &Value| browser.page(&server, Method::POST, &tasks).body(body.to_string()).send().await;
    let name = server.instance.name.as_str();
    let everyone = json!({ "time": 60, "task_type": "manual" });
    let confirmed = |by: &str| json!({ "time": 60, "task_type": "manual", "confirmed_instance_name": by });
    for body in [&everyone, &confirmed("another"), &confirmed("")] {
        let message = page(body).await.expect_error(400, "DBS.280001");
        assert!(message.contains("kills all user sessions") && message.contains(name), "{body}: {message}");
    }
    page(&confirmed(name)).await.expect_status(200);
    page(&json!({ "time": 60, "task_type": "manual", "user": "app" })).await.expect_status(200);
    // The API does not require the name, as in the cloud, but a wrong name is an error.
    let api = async |body: &Value| server.call(Method::POST, &tasks).body(body.to_string()).send().await;
    api(&everyone).await.expect_status(200);
    api(&confirmed("another")).await.expect_error(400, "DBS.280001");

    let opted_in = json!({ "time": 60, "task_type": "manual", "user": "app", "include_unsafe": true });
    api(&opted_in).await.expect_status(200);
    let wrong = json!({ "time": 60, "task_type": "manual", "include_unsafe": "yes" });
    api(&wrong).await.expect_error(400, "DBS.280001");
    let listed = server.get(&tasks).await.expect_status(200)["processes"].as_array().unwrap().clone();
    let opted: Vec<_> = listed.iter().map(|task| task.get("include_unsafe")).collect();
    assert_eq!(opted, [Some(&json!(true)), None, None, None], "unset field must be absent");
    let audited = server.audit_of("AddKillTask").await;
    assert!(audited.iter().any(|row| row.event.detail["asked"]["include_unsafe"] == true), "{audited:?}");
}
