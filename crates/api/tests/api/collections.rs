//! Submission and status of collections.

use clew_model::{Failure, FailureKind, RequestId, SessionSelection, UnvalidatedSessionSelection};
use http::Method;
use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn collection_is_queued_with_the_requested_selection() {
    let server = Server::start().await;
    let draft = UnvalidatedSessionSelection {
        filter: Some("slow".into()),
        slow_process_threshold: Some(30),
        user: Some("web".into()),
        sort_key: Some("trx_lock_rows".into()),
        sort_dir: Some("desc".into()),
        ..UnvalidatedSessionSelection::default()
    };
    let requested = r#"{"filter":"slow","slow_process_threshold":30,"user":"web","db":null,"sort_key":"trx_lock_rows","sort_dir":"desc"}"#;
    for (body, expected) in [(requested, SessionSelection::parse(draft).unwrap()), ("", SessionSelection::default())] {
        for signed in [false, true] {
            let call = server.call(Method::POST, &server.sessions("")).body(body);
            let answer = if signed { server.sign(call) } else { call }.send().await.expect_status(202);
            assert_eq!(answer.as_object().unwrap().len(), 1);
            let id: RequestId = answer["request_id"].as_str().unwrap().parse().unwrap();
            let task = server.store.tasks().find_task(&id).await.unwrap().unwrap();
            assert_eq!(
                (&task.request.project_id, &task.request.instance_id),
                (&server.tenant.project_id, &server.instance.id)
            );
            assert_eq!((task.request.node_id, task.request.selection), (server.node(), expected.clone()));
        }
    }
}

#[tokio::test]
async fn status_follows_the_lifecycle_of_a_collection() {
    let server = Server::start().await;
    let failed = server.add_failed(Failure::new(FailureKind::Unreachable, "refused")).await;
    let finished = server.add_finished(b"").await;
    let running = server.add_running().await.task.request.request_id;
    let queued = server.queued().await;
    for (id, status) in [(failed, "error"), (finished, "finished"), (running, "running"), (queued, "running")] {
        assert_eq!(server.get(&server.status_of(&id)).await.expect_status(200), json!({ "status": status }));
        let signed = server.sign(server.call(Method::GET, &server.status_of(&id)));
        assert_eq!(signed.send().await.expect_status(200), json!({ "status": status }));
    }
    let over = server.get(&server.status_of(&RequestId::generate())).await;
    assert_eq!(over.expect_status(200), json!({ "status": "unrecognized" }));
}

#[tokio::test]
async fn full_queue_affects_one_node_only() {
    let server = Server::start_with(|_, tasks| tasks.max_queued_per_node = 2).await;
    let post = |path: String| server.call(Method::POST, &path);
    for _ in 0..2 {
        post(server.sessions("")).send().await.expect_status(202);
    }
    let message = post(server.sessions("")).send().await.expect_error(409, "DBS.200011");
    assert!(message.contains("Too many queued collection tasks: the limit is 2 per node"), "{message}");
    let chinese = post(server.sessions("")).chinese().send().await.expect_error(409, "DBS.200011");
    assert!(chinese.contains("该节点已有2个采集任务在排队"), "{chinese}");
    post(server.sessions_of(&server.instance.nodes[1].id, "")).send().await.expect_status(202);
}
