//! Kill tasks (TaurusDB API spec, section 2.8).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clew_api::Metrics;
use clew_diagnose::ProtectedAccounts;
use clew_model::{Failure, FailureKind};
use clew_testkit::{ClientCharset, Flavor, RawSession};
use clew_worker::{KillExecutor, KillTaskWorker, WorkerSettings};
use http::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::server::{PROTECTED, Server};

impl Server {
    fn kill_path(&self, rest: &str) -> String {
        format!("/v3/{}/instances/{}/process/{rest}", self.tenant.project_id, self.instance.id)
    }

    async fn set_switch(&self, status: &str) {
        let body = json!({ "status": status }).to_string();
        let answer = self.call(Method::PUT, &self.kill_path("task/switch")).body(body).send().await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, ""));
        assert_eq!(self.get(&self.kill_path("task/switch")).await.expect_status(200), json!({ "status": status }));
    }

    async fn add_task(&self, body: &Value) -> Answer {
        self.call(Method::POST, &self.kill_path("task")).body(body.to_string()).send().await
    }

    async fn create_task(&self, body: &Value) -> String {
        let answer = self.add_task(body).await.expect_status(200);
        assert_eq!(answer["success"], true);
        answer["task_id"].as_str().unwrap().to_owned()
    }

    async fn stop_task(&self, id: &str) -> Answer {
        let body = json!({ "task_id": id }).to_string();
        self.call(Method::PUT, &self.kill_path("task")).body(body).send().await
    }

    async fn tasks(&self) -> Vec<Value> {
        self.get(&self.kill_path("task")).await.expect_status(200)["processes"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn task_is_listed_until_it_ends() {
    let server = Server::start().await;
    assert_eq!(server.get(&server.kill_path("task/switch")).await.expect_status(200), json!({ "status": "OFF" }));
    let full_task = json!({
        "user": "app", "host": "10.0.0.7:51234", "db": "shop", "command": "Query", "info": "select 7", "time": 60,
        "task_type": "auto", "task_duration": 3600
    });
    let message = server.add_task(&full_task).await.expect_error(409, "DBS.280406");
    assert!(message.contains("disabled"), "{message}");
    server.set_switch("ON").await;
    let first = server.create_task(&full_task).await;
    let second = server.create_task(&json!({ "time": "1", "task_type": "manual" })).await;
    let tasks = server.tasks().await;
    assert_eq!((&tasks[0]["id"], &tasks[1]["id"]), (&json!(second), &json!(first)));
    for (field, value) in full_task.as_object().unwrap() {
        assert_eq!(tasks[1][field], *value, "{field}");
    }
    assert_eq!(tasks[1]["instance_id"], server.instance.id.as_str());
    let moment = |task: &Value, field: &str| task[field].as_i64().unwrap();
    assert_eq!(moment(&tasks[1], "end_time"), moment(&tasks[1], "start_time") + 3_600_000);
    for field in ["user", "host", "db", "command", "info", "task_duration", "end_time"] {
        assert_eq!(tasks[0][field], Value::Null, "{field}");
    }
    assert_eq!((&tasks[0]["time"], &tasks[0]["task_type"]), (&json!(1), &json!("manual")));

    let states = async || server.tasks().await.iter().map(|task| task["task_state"].clone()).collect::<Vec<_>>();
    assert_eq!(states().await, ["running", "running"]);
    server.clock_forward(Duration::from_hours(1));
    assert_eq!(states().await, ["running", "finished"]);
    assert_eq!(server.stop_task(&second).await.expect_status(200), json!({ "success": true }));
    assert_eq!(server.stop_task(&second).await.expect_status(200), json!({ "success": true }));
    assert_eq!(states().await, ["stopped", "finished"]);
    for unknown in ["1", "x", "", "99999999999999999999"] {
        server.stop_task(unknown).await.expect_error(404, "DBS.290013");
    }
    let audit_rows = server.audit_of("AddKillTask").await;
    assert_eq!(audit_rows[0].event.detail["asked"]["info"], "***", "no literal in the audit");
}

#[tokio::test]
async fn running_task_lists_nodes_that_refuse_the_login() {
    let server = Server::start().await;
    server.set_switch("ON").await;
    let ended = server.create_task(&json!({ "time": 1, "task_type": "manual" })).await;
    server.stop_task(&ended).await.expect_status(200);
    server.create_task(&json!({ "time": 1, "task_type": "manual" })).await;
    assert_eq!(server.tasks().await[0]["refused_nodes"], json!([]));
    let node = server.store.instances().find_node_with_password(&server.node()).await.unwrap().unwrap();
    let failure = Failure::new(FailureKind::AccessDenied, "error 1045 (28000): Access denied");
    server.store.instances().record_login_refusal(&node, 0, &failure).await.unwrap();
    let backoff = server.store.instances().find_login_backoff(&node.id).await.unwrap().unwrap();
    let tasks = server.tasks().await;
    let refused = json!({
        "node_id": node.id, "reason": failure.detail, "refused_logins": 1, "next_attempt_time": backoff.retry_at,
    });
    assert_eq!((&tasks[0]["refused_nodes"], &tasks[1]["refused_nodes"]), (&json!([refused]), &json!([])));
}

#[tokio::test]
async fn at_most_five_tasks_run_and_the_switch_stops_them() {
    let server = Server::start().await;
    server.set_switch("ON").await;
    let manual = json!({ "time": 60, "task_type": "manual" });
    let mut ids = BTreeSet::new();
    for _ in 0..5 {
        ids.insert(server.create_task(&manual).await);
    }
    assert_eq!(ids.len(), 5);
    let message = server.add_task(&manual).await.expect_error(409, "DBS.280406");
    assert!(message.contains('5'), "{message}");
    server.stop_task(ids.first().unwrap()).await.expect_status(200);
    server.create_task(&manual).await;
    server.set_switch("OFF").await;
    assert!(server.tasks().await.iter().all(|task| task["task_state"] == "stopped"));
    server.add_task(&manual).await.expect_error(409, "DBS.280406");
    server.set_switch("ON").await;
    server.create_task(&manual).await;
}

#[tokio::test]
async fn invalid_requests_are_rejected() {
    let server = Server::start().await;
    server.set_switch("ON").await;
    let manual = |field: &str, value: Value| {
        let mut body = json!({ "time": 60, "task_type": "manual" });
        body[field] = value;
        body
    };
    for (body, reason) in [
        (json!({}), "time is missing"),
        (json!({ "time": 60 }), "task_type is missing"),
        (json!({ "time": 60, "task_type": "auto" }), "task_duration is missing"),
        (
            json!({ "time": 60, "task_type": "Auto" }),
            "Invalid value for task_type: \"Auto\". Fix: use one of auto, manual",
        ),
        (manual("time", json!(0)), "Invalid value for time: 0. Fix: use 1 to 2147483647"),
        (manual("time", json!(2_147_483_648_u32)), "Invalid value for time: 2147483648"),
        (manual("time", json!(1.5)), "Invalid value for time: 1.5"),
        (manual("time", json!("+60")), "Invalid value for time: +60"),
        (manual("time", json!("")), "Invalid value for time"),
        (manual("time", json!([60])), "Invalid value for time"),
        (manual("task_duration", json!(10)), "task_duration is not allowed for a manual kill task"),
        (json!({ "time": 60, "task_type": "auto", "task_duration": 9 }), ": 9. Fix: use 10 to 31535999"),
        (
            json!({ "time": 60, "task_type": "auto", "task_duration": 31_536_000 }),
            ": 31536000. Fix: use 10 to 31535999",
        ),
        (manual("user", json!("")), "Invalid value for user: \"\". Fix: use 1 to 32 letters"),
        (manual("user", json!("a b")), "Invalid value for user: \"a b\""),
        (manual("user", json!("u".repeat(33))), "Fix: use 1 to 32 letters"),
        (manual("user", json!(7)), "Invalid value for user"),
        (manual("db", json!("d".repeat(65))), "Fix: use 1 to 64 letters"),
        (manual("db", json!("会")), "Invalid value for db"),
        (manual("host", json!("")), "Invalid length of host: 0 characters"),
        (manual("command", json!("c".repeat(256))), "Invalid length of command: 256 characters"),
        (manual("info", json!("i".repeat(1025))), "Invalid length of info: 1025 characters"),
        (manual("users", json!("app")), "Unknown field: users. Did you mean user?"),
    ] {
        let message = server.add_task(&body).await.expect_error(400, "DBS.280001");
        assert!(message.contains(reason), "{body}: {message}");
    }
    assert!(server.tasks().await.is_empty());
    for (path, body, reason) in [
        ("task/switch", json!({ "status": "on" }), "Invalid value for status: \"on\". Fix: use one of ON, OFF"),
        ("task/switch", json!({ "status": true }), "Invalid value for status"),
        ("task/switch", json!({}), "status is missing"),
        ("task", json!({}), "task_id is missing"),
        ("task", json!({ "id": "1" }), "Unknown field: id"),
    ] {
        let call = server.call(Method::PUT, &server.kill_path(path)).body(body.to_string());
        let message = call.send().await.expect_error(400, "DBS.280001");
        assert!(message.contains(reason), "{body}: {message}");
    }
    for (query, reason) in [
        ("task/preview", "time is missing"),
        ("task/preview?time=0", "Invalid value for time: 0"),
        ("task/preview?time=-1", "Invalid value for time: -1"),
        ("task/preview?time=1&user=a.b", "Invalid value for user"),
        ("task/preview?time=1&time=2", "time is specified more than once"),
        ("task/preview?time=1&usr=app", "Did you mean user?"),
        ("kill/history?start_time=x", "Invalid value for start_time"),
        ("kill/history?end_time=-1", "Invalid value for end_time"),
        ("kill/history?start_time=5&end_time=5", "start_time must be before end_time"),
        ("kill/history?page_size=0", "Invalid value for page_size: 0. Fix: use 1 to 100"),
        ("kill/history?page_size=101", "Invalid value for page_size: 101"),
        ("kill/history?page_num=-1", "Invalid value for page_num: -1"),
        ("kill/history?page=1", "Unknown field: page"),
    ] {
        let message = server.get(&server.kill_path(query)).await.expect_error(400, "DBS.280001");
        assert!(message.contains(reason), "{query}: {message}");
    }
}

async fn open_busy_session(node: &clew_testkit::DatabaseServer, user: &str, statement: &str) -> RawSession {
    let address = SocketAddr::from(([127, 0, 0, 1], node.port()));
    let mut session = RawSession::open(address, user, None, ClientCharset::Utf8mb4).await.unwrap();
    session.send_statement(statement.as_bytes()).await.unwrap();
    session
}

/// The task kills the sessions of the preview, and the history lists them.
#[rstest]
#[tokio::test]
async fn preview_matches_the_killed_sessions(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node =
        clew_testkit::DatabaseServer::start(flavor, &clew_testkit::DatabaseServerOptions::default()).await.unwrap();
    let protected = format!("CREATE USER {PROTECTED}@'%'");
    node.run_statements(&["CREATE USER app@'%'", "CREATE USER batch@'%'", &protected]).await.unwrap();
    let mut server = Server::start().await;
    server.set_node_url(&node.url()).await;
    let mut victims = BTreeSet::new();
    let mut sessions = Vec::new();
    for (user, statement, is_victim) in [
        ("app", "SELECT SLEEP(600), 'secret'", true),
        ("app", "select sleep(600), 'other'", true),
        ("app", "SELECT BENCHMARK(100000000000, MD5('x'))", false),
        ("batch", "SELECT SLEEP(600)", false),
        (PROTECTED, "SELECT SLEEP(600)", false),
    ] {
        let session = open_busy_session(&node, user, statement).await;
        if is_victim {
            victims.insert(session.id);
        }
        sessions.push(session);
    }
    let preview = async |query: &str| {
        let shown = server.get(&server.kill_path(&format!("task/preview?{query}"))).await.expect_status(200);
        assert_eq!(shown["total_count"], shown["processes"].as_array().unwrap().len());
        shown["processes"].as_array().unwrap().clone()
    };
    let ids = |shown: &[Value]| shown.iter().map(|one| one["id"].as_u64().unwrap()).collect::<BTreeSet<_>>();
    let query_text = "time=1&user=app&host=127.0.0.1&command=QUERY&info=sleep(600)";
    let shown = loop {
        let shown = preview(query_text).await;
        // Both nodes of the instance are the same server, so each session is listed twice.
        if shown.len() == 2 * victims.len() {
            break shown;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(ids(&shown), victims);
    let all_ids = ids(&preview("time=1").await);
    assert!(all_ids.is_superset(&victims) && !all_ids.contains(&sessions[4].id), "{all_ids:?}");

    let reader = server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await;
    let reader = server.project_token(&reader).await;
    server.mask(&server.tenant.project_id, true).await;
    let masked = async |info: &str| {
        let path = server.kill_path(&format!("task/preview?time=1&user=app&info={info}"));
        server.call(Method::GET, &path).token(&reader).send().await.expect_status(200)["processes"]
            .as_array()
            .unwrap()
            .clone()
    };
    assert!(masked("secret").await.is_empty(), "a preview must not reveal literals");
    let templates = masked("SLEEP").await;
    assert_eq!(ids(&templates), victims);
    let is_template = |text: &Value| text.as_str().unwrap().eq_ignore_ascii_case("SELECT SLEEP(?), ?");
    assert!(templates.iter().all(|one| is_template(&one["sql_info"])), "{templates:?}");
    server.mask(&server.tenant.project_id, false).await;

    server.set_switch("ON").await;
    let task = json!({ "user": "app", "host": "127.0.0.1", "command": "QUERY", "info": "sleep(600)", "time": 1, "task_type": "manual" });
    let id = server.create_task(&task).await;
    let shutdown = CancellationToken::new();
    let kills = KillExecutor::new(server.store.clone(), ProtectedAccounts::default().with_accounts([PROTECTED]));
    let worker =
        KillTaskWorker::new(server.store.clone(), kills, &WorkerSettings::default(), Arc::new(Metrics::default()));
    let worker = tokio::spawn(worker.run(shutdown.clone()));
    let history =
        async |query: &str| server.get(&server.kill_path(&format!("kill/history{query}"))).await.expect_status(200);
    while !preview(query_text).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shutdown.cancel();
    worker.await.unwrap();
    let all = history("?page_size=100").await;
    let killed = all["killed_sessions"].as_array().unwrap();
    assert_eq!(killed.iter().map(|kill| kill["session_id"].as_u64().unwrap()).collect::<BTreeSet<_>>(), victims);
    for kill in killed {
        assert_eq!((&kill["killed_source"], &kill["task_id"]), (&json!("task"), &json!(id)), "{kill}");
        assert_eq!((&kill["user"], &kill["command"]), (&json!("app"), &json!("Query")));
        assert!(is_template(&kill["info"]), "{kill}");
        assert!(kill["time"].as_u64().unwrap() >= 1 && kill["outcome"].is_string(), "{kill}");
    }
    let newest = killed[0]["kill_time"].as_i64().unwrap();
    assert_eq!(
        history(&format!("?start_time={}", newest + 1)).await,
        json!({ "killed_sessions": [], "total_count": 0 })
    );
    let range = format!("?start_time={}&end_time={}&page_num=1&page_size=1", newest - 60_000, newest + 1);
    let page = history(&range).await;
    assert_eq!((&page["killed_sessions"], &page["total_count"]), (&json!([killed[0]]), &all["total_count"]));
    assert_eq!(history("?page_num=0&page_size=1").await["killed_sessions"], json!([killed[0]]));
    let alive = preview("time=1").await;
    assert!(ids(&alive).is_superset(&[sessions[2].id, sessions[3].id].into()), "{alive:?}");
}
