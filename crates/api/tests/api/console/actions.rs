//! Routes of the web page: locks, session details, kill and its preview, kill history, permissions, collections.

use clew_model::{Failure, FailureKind, RequestId};
use clew_testkit::{Flavor, LockWaitScenario};
use http::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::stream::{node, path, session, watching};
use crate::answer::Answer;
use crate::server::Server;

async fn kill(server: &Server, body: &Value) -> Answer {
    server.call(Method::POST, &path(server, "kill")).body(body.to_string()).send().await
}

async fn detail(server: &Server, id: u64) -> Value {
    server.get(&path(server, &format!("sessions/{id}"))).await.expect_status(200)
}

/// `b` waits for a row that `a` changed; `a` is idle.
#[rstest]
#[tokio::test]
async fn blocker_is_shown_and_killed(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node = node(flavor).await;
    let server = watching(&node.url()).await;
    let scenario =
        LockWaitScenario::scenarios_for_flavor(flavor).into_iter().find(|scenario| scenario.name == "a row").unwrap();
    let mut built = scenario.set_up(&node).await.unwrap();
    let (blocker, waiter) = (built.thread_ids()["a"], built.thread_ids()["b"]);

    let locks = server.get(&path(&server, "locks")).await.expect_status(200);
    assert_eq!(
        (&locks["roots"][0]["parties"][0]["session"], &locks["roots"][0]["frees"]),
        (&json!(blocker), &json!(1)),
        "{locks}"
    );

    let waiting = detail(&server, waiter).await;
    assert_eq!(waiting["statement"], "UPDATE t SET v = 2 WHERE id = 1", "{waiting}");
    assert_eq!((&waiting["sql_template"], &waiting["db"]), (&json!("UPDATE t SET v = ? WHERE id = ?"), &json!("shop")));
    assert_eq!(
        (&waiting["transaction"]["state"], &waiting["masked"]),
        (&json!("LOCK WAIT"), &json!(false)),
        "{waiting}"
    );
    assert_eq!(waiting["waits"]["waits"][0]["blocker"]["session"], blocker, "{waiting}");
    let idle = detail(&server, blocker).await;
    assert_eq!((&idle["statement"], &idle["transaction"]["rows_modified"]), (&Value::Null, &json!(1)), "{idle}");
    let last = idle["last_statements"].as_array().unwrap();
    // MariaDB's performance_schema, which has the statement history, is off by default.
    assert_eq!(last.iter().any(|ran| ran == "UPDATE t SET v = 1 WHERE id = 1"), flavor == Flavor::MySql, "{idle}");
    server.get(&path(&server, "sessions/4000000000")).await.expect_error(404, "DBS.290013");
    server.get(&path(&server, "sessions/0")).await.expect_error(400, "DBS.280001");

    let (user, host) = (&idle["user"], &idle["host"]);
    let chosen = json!({ "id": blocker, "user": user, "host": host, "server": locks["server"] });
    let other_server = json!({ "id": blocker, "user": user, "host": host, "server": "another@1" });
    let refused = kill(&server, &json!({ "sessions": [other_server], "what": "connection" })).await.expect_status(200);
    assert_eq!(refused["sessions"][0]["outcome"], "refused", "{refused}");
    assert!(refused["sessions"][0]["message"].as_str().unwrap().contains("kill on the server itself"), "{refused}");
    let preview =
        kill(&server, &json!({ "sessions": [chosen], "what": "connection", "preview": true })).await.expect_status(200);
    let seen = &preview["sessions"][0];
    assert_eq!((&seen["outcome"], &preview["costs_unknown"]), (&json!("would_kill"), &Value::Null), "{preview}");
    assert_eq!((&seen["session"]["frees"], &seen["session"]["holds_up"]), (&json!([waiter]), &json!(1)), "{preview}");
    assert_eq!(seen["session"]["transaction"]["rows_modified"], 1, "{preview}");
    assert_eq!((&preview["effect"], &seen["session"]["risks"]), (&Value::Null, &json!([])), "{preview}");
    let chinese = json!({ "sessions": [chosen, { "id": waiter, "user": "a", "host": "b" }], "what": "connection", "preview": true });
    let chinese = server.call(Method::POST, &path(&server, "kill")).body(chinese.to_string()).chinese().send().await;
    let chinese = chinese.expect_status(200);
    let message = |at: usize| chinese["sessions"][at]["message"].as_str().unwrap();
    assert_eq!(message(0), "将终止会话，并回滚其对事务引擎表未提交的修改");
    assert!(message(1).starts_with("未Kill：会话已结束，其ID现属于用户"), "{chinese}");
    assert_eq!(detail(&server, blocker).await["id"], blocker, "a preview must not kill");

    // Another session with the same id is not killed.
    let other = json!({ "id": blocker, "user": user, "host": "10.9.9.9:1" });
    let gone = kill(&server, &json!({ "sessions": [other], "what": "connection" })).await.expect_status(200);
    assert_eq!((&gone["sessions"][0]["outcome"], &gone["sessions"][0]["session"]), (&json!("gone"), &Value::Null));
    let idle_query = kill(&server, &json!({ "sessions": [chosen], "what": "query" })).await.expect_status(200);
    assert_eq!(idle_query["sessions"][0]["outcome"], "refused", "the session is idle: {idle_query}");
    assert_eq!(detail(&server, blocker).await["id"], blocker);

    let body = json!({ "sessions": [chosen, { "id": 4_000_000_000_u64, "user": "a", "host": "b" }], "what": "connection", "reason": "blocks checkout" });
    let killed = kill(&server, &body).await.expect_status(200);
    let outcomes: Vec<&str> =
        killed["sessions"].as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["killed", "gone"], "{killed}");
    // MariaDB disables performance_schema by default.
    let hidden_waits = flavor == Flavor::MariaDb;
    let effect = json!({ "rows_rolled_back": 1, "unblocked": [waiter], "still_waiting": [], "hidden_waits": hidden_waits, "unknown": null });
    assert_eq!(killed["effect"], effect, "{killed}");
    let still_waiting = built.close_sessions_of_finished_waiters(&["b"], std::time::Duration::from_mins(1)).await;
    assert!(still_waiting.is_empty(), "{still_waiting:?}");

    let kills = server.get(&path(&server, "kills")).await.expect_status(200);
    let newest = &kills["kills"][0];
    assert_eq!((kills["total_count"].as_u64(), &newest["session_id"]), (Some(2), &json!(blocker)), "{kills}");
    assert_eq!(
        (&newest["by"], &newest["reason"], &newest["outcome"]),
        (&json!("ada"), &json!("blocks checkout"), &json!("killed"))
    );
    assert_eq!((&newest["what"], &newest["source"], &newest["user"]), (&json!("connection"), &json!("manual"), user));
    let requests = server.audit_of("KillSessions").await;
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[3].event.detail["killed"], json!([blocker]), "{requests:?}");
    let previews = server.audit_of("PreviewKillSessions").await;
    assert_eq!((previews.len(), &previews[0].event.detail["asked"]), (2, &json!([blocker])), "{previews:?}");
    assert_eq!(previews[0].event.outcome, clew_model::AuditOutcome::Succeeded);
    assert_eq!(server.audit_of("KillSession").await.len(), 2);
}

#[rstest]
#[tokio::test]
async fn long_statement_is_shown_in_full_and_killed(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let node = node(flavor).await;
    let server = watching(&node.url()).await;
    let mut busy = session(&node).await;
    let statement = format!("SELECT SLEEP(1000), '{}'", "電".repeat(100_000));
    busy.send_statement(statement.as_bytes()).await.unwrap();
    let shown = loop {
        let shown = detail(&server, busy.id).await;
        if shown["statement"].is_string() {
            break shown;
        }
    };
    assert_eq!(shown["statement"], statement.as_str());
    assert_eq!(shown["statement_cut"], false);
    let names: Vec<&str> =
        shown["attributes"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.iter().all(|name| !name.is_empty()), "{names:?}");
    let plan = server
        .call(Method::POST, &path(&server, &format!("sessions/{}/explain", busy.id)))
        .send()
        .await
        .expect_status(200);
    assert_eq!(plan["format"], "text");
    assert!(plan["plan"].as_str().is_some_and(|plan| plan.contains("select_type")), "{flavor}: {plan}");
    server
        .call(Method::POST, &path(&server, "sessions/4000000000/explain"))
        .send()
        .await
        .expect_error(404, "DBS.290013");

    let began = jiff::Timestamp::now().as_millisecond() - shown["time"].as_i64().unwrap() * 1000;
    let chosen = |since: i64| json!({ "id": busy.id, "user": shown["user"], "host": shown["host"], "since": since });
    let another =
        kill(&server, &json!({ "sessions": [chosen(began - 60_000)], "what": "query" })).await.expect_status(200);
    assert_eq!(another["sessions"][0]["outcome"], "refused", "a later statement must not be killed: {another}");
    let ended = kill(&server, &json!({ "sessions": [chosen(began)], "what": "query" })).await.expect_status(200);
    assert_eq!(ended["sessions"][0]["outcome"], "killed", "{flavor}: {ended}");
    assert_eq!(detail(&server, busy.id).await["command"], "Sleep", "the session must survive");
}

#[tokio::test]
async fn permissions_report_denied_actions() {
    let server = Server::start().await;
    let permissions = format!("/clew/v1/{}/instances/{}/permissions", server.tenant.project_id, server.instance.id);
    let reader = server.project_token(&server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await).await;
    let unprivileged = server.project_token(&server.user("unprivileged").await).await;
    let all = server.get(&permissions).await.expect_status(200);
    assert!(all["permissions"].as_object().unwrap().values().all(|one| one["allowed"] == true), "{all}");
    let call = || server.call(Method::GET, &permissions);
    let few = call().token(&reader).send().await.expect_status(200);
    let of = |action: &str| &few["permissions"][format!("gaussdbformysql:instance:{action}")];
    assert_eq!(of("listProcesses"), &json!({ "allowed": true, "reason": null }));
    assert_eq!(of("deleteProcesses")["allowed"], false);
    let reason = of("deleteProcesses")["reason"].as_str().unwrap();
    assert!(reason.contains("No policy allows gaussdbformysql:instance:deleteProcesses"), "{reason}");
    let chinese = call().token(&reader).chinese().send().await.expect_status(200);
    let other = chinese["permissions"]["gaussdbformysql:instance:deleteProcesses"]["reason"].as_str().unwrap();
    assert_ne!(other, reason);
    assert_eq!(few["masked"], false);
    server.mask(&server.tenant.project_id, true).await;
    assert_eq!(call().token(&reader).send().await.expect_status(200)["masked"], true);
    // Without any permission, the error is the same as for a missing instance.
    let absent = permissions.replace(server.instance.id.as_str(), clew_model::InstanceId::generate().as_str());
    let closed = call().token(&unprivileged).send().await;
    closed.expect_error(403, "DBS.280015");
    assert_eq!(closed.body, server.call(Method::GET, &absent).token(&unprivileged).send().await.body);
    server.get(&absent).await.expect_error(404, "DBS.200002");
}

#[tokio::test]
async fn collections_are_listed_and_removed() {
    let server = Server::start().await;
    let finished = server.add_finished(b"a\r\n").await;
    let failed = server.add_failed(Failure::new(FailureKind::Unreachable, "connection refused")).await;
    let full = server.add_finished(b"a\r\n").await;
    let queued = server.queued().await;
    let list = async || {
        server.get(&path(&server, "collections")).await.expect_status(200)["collections"].as_array().unwrap().clone()
    };
    let listed = list().await;
    let of = |id: &RequestId| listed.iter().find(|one| one["request_id"] == id.as_str()).unwrap();
    assert_eq!(listed.len(), 4);
    assert_eq!(
        (&of(&finished)["status"], &of(&finished)["rows"], &of(&finished)["bytes"]),
        (&json!("finished"), &json!(1), &json!(3))
    );
    assert_eq!((&of(&finished)["readable"], &of(&queued)["readable"]), (&json!(true), &json!(false)));
    assert!(of(&failed)["reason"].as_str().unwrap().contains("connection refused"));
    assert_eq!((&of(&queued)["status"], &of(&queued)["finished_at"]), (&json!("queued"), &Value::Null));

    let remove = |id: &str| server.call(Method::DELETE, &path(&server, &format!("collections/{id}")));
    let reader = server.project_token(&server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await).await;
    remove(finished.as_str()).token(&reader).send().await.expect_error(403, "DBS.280015");
    remove(queued.as_str()).send().await.expect_error(409, "DBS.280406");
    assert_eq!(remove(finished.as_str()).send().await.status, 204);
    remove(finished.as_str()).send().await.expect_error(400, "DBS.200543");
    remove("nonsense").send().await.expect_error(400, "DBS.280001");
    assert_eq!(list().await.len(), 3);
    server.get(&server.result_of(&finished)).await.expect_error(400, "DBS.200543");
    assert_eq!(server.audit_of("DeleteRealtimeSession").await.len(), 2, "one denied and one successful removal");

    // Another node has other collections.
    let other = path(&server, "collections").replace(server.node().as_str(), server.instance.nodes[1].id.as_str());
    assert_eq!(server.get(&other).await.expect_status(200), json!({ "collections": [] }));
    let elsewhere = format!("{other}/{failed}");
    server.call(Method::DELETE, &elsewhere).send().await.expect_error(400, "DBS.200543");
    // A result with full statements is not readable for a masked user.
    server.mask(&server.tenant.project_id, true).await;
    let seen = server.call(Method::GET, &path(&server, "collections")).token(&reader).send().await.expect_status(200);
    let seen =
        seen["collections"].as_array().unwrap().iter().find(|one| one["request_id"] == full.as_str()).unwrap().clone();
    assert_eq!(seen["readable"], false);
}
