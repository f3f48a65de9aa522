//! Callers without the permission to list sessions see SQL templates on every route, also in a project that does not mask statements.

use std::time::Duration;

use clew_model::SlowSessionThreshold;
use clew_testkit::Flavor;
use http::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::stream::{node, path, session, watching};
use crate::answer::Answer;
use crate::server::{Server, test_origin};

const SECRET: &str = "4111-1111-1111";
const STATEMENT: &str = "SELECT SLEEP(1000), '4111-1111-1111'";
const TEMPLATE: &str = "SELECT SLEEP(?), ?";

/// Creates a token of a user with only these actions on instances.
async fn token(server: &Server, name: &str, actions: &[&str]) -> String {
    let actions: Vec<String> = actions.iter().map(|action| format!("gaussdbformysql:instance:{action}")).collect();
    let user = server.user_with(name, json!([{ "Effect": "Allow", "Action": actions }])).await;
    server.project_token(&user).await
}

fn instance_path(server: &Server, rest: &str) -> String {
    format!("/v3/{}/instances/{}/{rest}", server.tenant.project_id, server.instance.id)
}

#[rstest]
#[tokio::test]
async fn callers_without_list_permission_see_templates(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node = node(flavor).await;
    let server = watching(&node.url()).await;
    let one_second = SlowSessionThreshold::new(1).unwrap();
    let (project, instance) = (&server.tenant.project_id, &server.instance.id);
    server
        .store
        .instances()
        .set_slow_session_threshold(&test_origin(), project, std::slice::from_ref(instance), one_second)
        .await
        .unwrap();
    let mut busy = session(&node).await;
    busy.send_statement(STATEMENT.as_bytes()).await.unwrap();
    let host = loop {
        let shown = server.get(&path(&server, &format!("sessions/{}", busy.id))).await.expect_status(200);
        if shown["statement"] == STATEMENT && shown["time"].as_u64().unwrap() >= 2 {
            break shown["host"].clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };

    let kill = json!({
        "sessions": [{ "id": busy.id, "user": "root", "host": host }], "what": "query", "preview": true
    });
    let kill_preview = async |token: &str| -> Answer {
        server.call(Method::POST, &path(&server, "kill")).token(token).body(kill.to_string()).send().await
    };
    let get = async |token: &str, path: &str| server.call(Method::GET, path).token(token).send().await;
    let task_preview = instance_path(&server, "process/task/preview?time=1");
    let statistic = instance_path(&server, &format!("intelligent-kill-session/statistic?node_id={}", server.node()));

    let lists = ["get", "listProcesses", "deleteProcesses", "showIntelligentKillSession"];
    let unmasked = token(&server, "sighted", &lists).await;
    let masked = token(&server, "blind", &["get", "deleteProcesses", "showIntelligentKillSession"]).await;
    for (whole, seen) in [
        (get(&unmasked, &task_preview).await, get(&masked, &task_preview).await),
        (get(&unmasked, &statistic).await, get(&masked, &statistic).await),
        (kill_preview(&unmasked).await, kill_preview(&masked).await),
    ] {
        assert!(whole.status == 200 && whole.text().contains(SECRET), "{flavor}: {}", whole.text());
        assert!(seen.status == 200 && seen.text().contains(TEMPLATE), "{flavor}: {}", seen.text());
        assert!(!seen.text().contains(SECRET), "{flavor}: {}", seen.text());
    }
    // A filter must not reveal the literals of a statement.
    let guess = async |token: &str, literal: &str| -> Value {
        get(token, &format!("{task_preview}&info={literal}")).await.expect_status(200)["total_count"].clone()
    };
    assert_ne!(guess(&unmasked, SECRET).await, 0);
    assert_eq!(guess(&masked, SECRET).await, 0);
    assert_ne!(guess(&masked, "SLEEP(?)").await, 0);
    // Routes that show whole statements are refused without the permission to list sessions.
    let (id, of_node) = (busy.id, |rest: &str| instance_path(&server, &format!("nodes/{}/{rest}", server.node())));
    let progress = json!({ "thread_ids": [id] }).to_string();
    for call in [
        server.call(Method::GET, &path(&server, &format!("sessions/{id}"))),
        server.call(Method::POST, &path(&server, &format!("sessions/{id}/explain"))),
        server.call(Method::GET, &path(&server, "locks")),
        server.call(Method::GET, &path(&server, "stream")),
        server.call(Method::GET, &of_node("processes")),
        server.call(Method::GET, &of_node(&format!("process/lock-wait?pid={id}"))),
        server.call(Method::POST, &of_node("txn-progress")).body(progress),
        server.call(Method::POST, &server.sessions("")),
        server.call(Method::GET, &path(&server, "collections")),
    ] {
        let route = call.url.path().to_owned();
        let refused = call.token(&masked).send().await;
        assert_eq!(refused.status, 403, "{flavor} {route}: {}", refused.text());
    }
    let permissions = format!("/clew/v1/{}/instances/{}/permissions", server.tenant.project_id, server.instance.id);
    assert_eq!(get(&masked, &permissions).await.expect_status(200)["masked"], true);
    assert_eq!(get(&unmasked, &permissions).await.expect_status(200)["masked"], false);
    // Histories contain only templates.
    let killed = json!({ "sessions": kill["sessions"], "what": "connection" });
    let killed =
        server.call(Method::POST, &path(&server, "kill")).body(killed.to_string()).send().await.expect_status(200);
    assert_eq!(killed["sessions"][0]["outcome"], "killed", "{flavor}: {killed}");
    for history in [path(&server, "kills"), instance_path(&server, "process/kill/history")] {
        let kills = get(&masked, &history).await;
        assert!(kills.status == 200 && kills.text().contains(TEMPLATE), "{flavor} {history}: {}", kills.text());
        assert!(!kills.text().contains(SECRET), "{flavor} {history}: {}", kills.text());
    }
}

/// The template of `4111x` is `4111x`: only a placeholder hides such a part of a statement.
#[tokio::test]
async fn statement_fragments_in_filters_are_hidden_from_masked_callers_and_the_audit() {
    let server = Server::start().await;
    let switch = server.call(Method::PUT, &instance_path(&server, "process/task/switch"));
    assert_eq!(switch.body(r#"{"status":"ON"}"#).send().await.status, 200);
    let task = json!({ "info": "4111x", "time": 60, "task_type": "manual" });
    let tasks = instance_path(&server, "process/task");
    server.call(Method::POST, &tasks).body(task.to_string()).send().await.expect_status(200);
    let collection = json!({ "sql_key": "4111x" });
    server.call(Method::POST, &server.sessions("")).body(collection.to_string()).send().await.expect_status(202);

    let collections = path(&server, "collections");
    let actions = ["get", "listProcesses", "getRealtimeSession"];
    let lists = token(&server, "lists", &actions).await;
    let get =
        async |token: &str, path: &str| server.call(Method::GET, path).token(token).send().await.expect_status(200);
    let read_fragments = async |token: &str| {
        let (task, collection) = (get(token, &tasks).await, get(token, &collections).await);
        (task["processes"][0]["info"].clone(), collection["collections"][0]["filter"]["sql_key"].clone())
    };
    assert_eq!(read_fragments(&lists).await, (json!("4111x"), json!("4111x")));
    let only_get = token(&server, "only_get", &["get"]).await;
    assert_eq!(get(&only_get, &tasks).await["processes"][0]["info"], "***");
    server.mask(&server.tenant.project_id, true).await;
    assert_eq!(read_fragments(&lists).await, (json!("***"), json!("***")));

    let added = server.audit_of("AddKillTask").await.remove(0).event.detail;
    assert_eq!(added["asked"]["info"], "***", "{added}");
    let collected = server.audit_of("CollectRealtimeSession").await.remove(0).event.detail;
    assert_eq!(collected["asked"]["sql_key"], "***", "{collected}");
}
