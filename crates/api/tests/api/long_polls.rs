//! Long polls for the status of a collection (`Prefer: wait`, RFC 7240).

use std::time::Duration;

use clew_model::{CollectionTaskOutcome, Failure, FailureKind, Limitation, LimitationKind, LocalizedText, RequestId};
use clew_store::ClaimedTask;
use http::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use crate::answer::Answer;
use crate::call::Call;
use crate::server::Server;

/// Timeout of a test's wait, shorter than the maximum long poll.
const MAX_WAIT: Duration = Duration::from_secs(20);
const PREFERENCE_APPLIED: &str = "preference-applied";

fn long_poll(server: &Server, id: &RequestId, preference: &str) -> Call {
    server.call(Method::GET, &server.status_of(id)).header("prefer", preference)
}

/// Sends a call and waits until the server has `waiters` long polls.
async fn send_and_await_waiters(server: &Server, call: Call, waiters: usize) -> tokio::task::JoinHandle<Answer> {
    let answer = tokio::spawn(call.send());
    wait_for_waiters(server, waiters).await;
    answer
}

async fn wait_for_waiters(server: &Server, waiters: usize) {
    let same = async {
        while server.collections.waiter_count() != waiters {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = timeout(MAX_WAIT, same).await;
    assert!(waited.is_ok(), "{} wait, not {waiters}", server.collections.waiter_count());
}

async fn fail_collection(server: &Server, claimed: &ClaimedTask) {
    let outcome = CollectionTaskOutcome::Failed(Failure::new(FailureKind::Unreachable, "refused"));
    assert!(
        server.store.tasks().complete_task(&claimed.task.request.request_id, claimed.fence, &outcome).await.unwrap()
    );
}

#[tokio::test]
async fn response_is_sent_when_the_collection_completes() {
    let server = Server::start().await;
    let claimed = server.add_running().await;
    let id = &claimed.task.request.request_id;
    let first = send_and_await_waiters(&server, long_poll(&server, id, "wait=30"), 1).await;
    let second =
        send_and_await_waiters(&server, server.sign(long_poll(&server, id, "respond-async, WAIT=\"9\"")), 2).await;
    assert!(!first.is_finished() && !second.is_finished());
    fail_collection(&server, &claimed).await;
    for (answer, applied) in [(first, "wait=30"), (second, "wait=9")] {
        let answer = timeout(MAX_WAIT, answer).await.unwrap().unwrap();
        assert_eq!(
            (answer.header(PREFERENCE_APPLIED).as_str(), answer.expect_status(200)),
            (applied, json!({ "status": "error" }))
        );
    }
    assert_eq!(server.collections.waiter_count(), 0);
}

#[tokio::test]
async fn limitations_of_a_result_are_in_its_status_and_in_the_list() {
    let server = Server::start().await;
    let claimed = server.add_running().await;
    let id = claimed.task.request.request_id;
    let limitation = Limitation {
        kind: LimitationKind::OnlyOwnSessions,
        what: LocalizedText::new("Sessions of other accounts are not visible.", "无法查看其他账号的会话。"),
        why: LocalizedText::new("The account lacks the PROCESS privilege.", "该账号缺少PROCESS权限。"),
        remedy: None,
    };
    let outcome = CollectionTaskOutcome::Finished {
        result_name: "a.csv".into(),
        rows: 0,
        bytes: 0,
        sha256: String::new(),
        limitations: vec![limitation.clone()],
    };
    let waiting = send_and_await_waiters(&server, long_poll(&server, &id, "wait=30"), 1).await;
    assert!(server.store.tasks().complete_task(&id, claimed.fence, &outcome).await.unwrap());
    let waited = timeout(MAX_WAIT, waiting).await.unwrap().unwrap();
    let expected = json!({ "status": "finished", "limitations": [limitation] });
    assert_eq!(waited.expect_status(200), expected);
    assert_eq!(server.get(&server.status_of(&id)).await.expect_status(200), expected);
    let (project, instance, node) = (&server.tenant.project_id, &server.instance.id, server.node());
    let list = format!("/clew/v1/{project}/instances/{instance}/nodes/{node}/collections");
    let listed = server.get(&list).await.expect_status(200);
    assert_eq!(listed["collections"][0]["limitations"], json!([limitation]));
}

#[tokio::test]
async fn wait_is_limited_by_the_request_timeout() {
    let server = Server::start_with(|api, _| api.request_timeout = Duration::from_secs(2)).await;
    for id in [server.add_running().await.task.request.request_id, server.queued().await] {
        let answer = long_poll(&server, &id, "wait=3600").send().await;
        assert_eq!(
            (answer.header(PREFERENCE_APPLIED).as_str(), answer.expect_status(200)),
            ("wait=1", json!({ "status": "running" }))
        );
    }
}

#[tokio::test]
async fn final_unknown_and_unrequested_waits_return_immediately() {
    let server = Server::start().await;
    let finished = server.add_finished(b"").await;
    let running = server.add_running().await.task.request.request_id;
    let unknown = RequestId::generate();
    for (id, preference, status, applied) in [
        (&finished, "wait=30", "finished", Some("wait=30")),
        (&unknown, "wait=30", "unrecognized", Some("wait=30")),
        (&running, "wait=0", "running", None),
        (&running, "wait=soon", "running", None),
        (&running, "respond-async", "running", None),
    ] {
        let answer = timeout(MAX_WAIT, long_poll(&server, id, preference).send()).await.unwrap();
        assert_eq!(answer.expect_status(200), json!({ "status": status }), "{preference}");
        assert_eq!(
            answer.headers.get(PREFERENCE_APPLIED).map(|value| value.to_str().unwrap()),
            applied,
            "{preference}"
        );
    }
    assert!(server.get(&server.status_of(&running)).await.headers.get(PREFERENCE_APPLIED).is_none());
}

#[tokio::test]
async fn collection_of_another_node_is_not_awaited() {
    let server = Server::start().await;
    let id = server.add_running().await.task.request.request_id;
    let path = server.sessions_of(&server.instance.nodes[1].id, &format!("-task?request_id={id}"));
    let answer = timeout(MAX_WAIT, server.call(Method::GET, &path).header("prefer", "wait=30").send()).await.unwrap();
    assert_eq!(answer.expect_status(200), json!({ "status": "unrecognized" }));
}

#[tokio::test]
async fn shutdown_ends_waits_with_a_response() {
    let mut server = Server::start().await;
    let id = server.add_running().await.task.request.request_id;
    let answer = send_and_await_waiters(&server, long_poll(&server, &id, "wait=30"), 1).await;
    server.shutdown.cancel();
    assert_eq!(timeout(MAX_WAIT, answer).await.unwrap().unwrap().expect_status(200), json!({ "status": "running" }));
    timeout(MAX_WAIT, &mut server.serving).await.unwrap().unwrap().unwrap();
    assert_eq!(server.collections.waiter_count(), 0);
}

#[tokio::test]
async fn disconnect_ends_the_wait() {
    let server = Server::start().await;
    let id = server.add_running().await.task.request.request_id;
    let mut connection = server.connect().await;
    let request = server.raw(&format!("GET {}", server.status_of(&id)), "prefer: wait=30\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    wait_for_waiters(&server, 1).await;
    drop(connection);
    wait_for_waiters(&server, 0).await;
}

#[tokio::test]
async fn long_polls_per_principal_are_limited() {
    let server = Server::start_with(|api, _| api.max_long_polls_per_principal = 2).await;
    let claimed = server.add_running().await;
    let id = &claimed.task.request.request_id;
    let first = send_and_await_waiters(&server, long_poll(&server, id, "wait=30"), 1).await;
    let second = send_and_await_waiters(&server, server.sign(long_poll(&server, id, "wait=30")), 2).await;
    let refused = long_poll(&server, id, "wait=30").send().await;
    let message = refused.expect_error(429, "APIGW.0308");
    assert!(message.contains("Too many open long polls (Prefer: wait): the limit is 2 per user"), "{message}");
    assert_eq!(refused.header("retry-after"), "5");
    // Requests without a wait and long polls of other users are served.
    assert_eq!(server.get(&server.status_of(id)).await.expect_status(200), json!({ "status": "running" }));
    let reader = server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await;
    let reader = server.project_token(&reader).await;
    let third = send_and_await_waiters(&server, long_poll(&server, id, "wait=30").token(&reader), 3).await;
    fail_collection(&server, &claimed).await;
    for answer in [first, second, third] {
        assert_eq!(timeout(MAX_WAIT, answer).await.unwrap().unwrap().expect_status(200), json!({ "status": "error" }));
    }
    let finished = server.add_running().await;
    let again =
        send_and_await_waiters(&server, long_poll(&server, &finished.task.request.request_id, "wait=30"), 1).await;
    fail_collection(&server, &finished).await;
    timeout(MAX_WAIT, again).await.unwrap().unwrap().expect_status(200);
}
