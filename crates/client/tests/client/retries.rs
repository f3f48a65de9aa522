//! What is sent again, and what must not be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clew_client::{Client, ClientError, CollectionStatus, SelectionRequest, Settings};

use crate::loopback::{Reply, Server, access_key, builder, client, instance, node, project, quick, request_id};

const STARTED: &str = r#"{"request_id":"realtime_session-x"}"#;
const RUNNING: &str = r#"{"status":"running"}"#;

async fn collect(client: &Client) -> Result<clew_client::RequestId, ClientError> {
    client.collect(&instance(), &node(), &SelectionRequest::default()).await
}

async fn status(client: &Client) -> Result<CollectionStatus, ClientError> {
    client.task_status(&instance(), &node(), &request_id()).await
}

fn error(status: u16) -> Reply {
    Reply::new(status, r#"{"error_code":"X.1","error_msg":"for a test"}"#)
}

#[tokio::test]
async fn a_collection_turned_away_at_the_door_is_sent_again() {
    for refusal in [429, 503] {
        let server = Server::in_turn(vec![error(refusal), error(refusal), Reply::new(202, STARTED)]).await;
        assert_eq!(collect(&client(&server)).await.unwrap().as_str(), "realtime_session-x");
        let seen = server.seen();
        assert_eq!(seen.len(), 3, "{refusal}");
        assert!(seen.iter().all(|one| one.method == "POST" && one.body == "{}"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_collection_that_may_have_been_started_is_not_sent_again() {
    for fault in [error(500), error(502), error(504), Reply::close(), Reply::new(202, STARTED).cut_after(5)] {
        let server = Server::in_turn(vec![fault.clone(), Reply::new(202, STARTED)]).await;
        assert!(collect(&client(&server)).await.is_err(), "{fault:?}");
        assert_eq!(server.seen().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn reads_are_sent_again_after_whatever_may_pass() {
    for fault in [error(429), error(500), error(502), error(503), Reply::close(), Reply::new(200, RUNNING).cut_after(5)]
    {
        let server = Server::in_turn(vec![fault.clone(), Reply::new(200, RUNNING)]).await;
        assert_eq!(status(&client(&server)).await.unwrap(), CollectionStatus::Running, "{fault:?}");
        assert_eq!(server.seen().len(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn what_will_not_pass_is_not_sent_again() {
    for refusal in [400, 401, 403, 404, 409] {
        let server = Server::in_turn(vec![error(refusal), Reply::new(200, RUNNING)]).await;
        assert_eq!(status(&client(&server)).await.unwrap_err().status(), Some(refusal));
        assert_eq!(server.seen().len(), 1, "{refusal}");
    }
}

#[tokio::test]
async fn attempts_are_bounded_and_the_last_error_is_told() {
    let server = Server::in_turn(vec![error(503)]).await;
    assert_eq!(status(&client(&server)).await.unwrap_err().status(), Some(503));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_wait_that_the_server_asks_for_replaces_our_own() {
    // Our own pause would be an hour: the test ends only if the server's is taken.
    let settings = Settings { first_pause: Duration::from_hours(1), max_backoff: Duration::from_hours(2), ..quick() };
    let server = Server::in_turn(vec![error(429).header("retry-after", "0"), Reply::new(200, RUNNING)]).await;
    let client = builder(&server).settings(settings).build().unwrap();
    assert_eq!(status(&client).await.unwrap(), CollectionStatus::Running);
}

#[tokio::test]
async fn a_server_that_asks_for_too_long_a_wait_is_not_waited_for() {
    let server = Server::in_turn(vec![error(503).header("retry-after", "3600"), Reply::new(200, RUNNING)]).await;
    match status(&client(&server)).await {
        Err(ClientError::Api { status: 503, retry_after: Some(asked), .. }) => {
            assert_eq!(asked, Duration::from_hours(1));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn silence_ends_with_the_limit_and_what_it_was_about() {
    let settings = Settings { answer: Duration::from_millis(50), attempts: 2, ..quick() };
    for silence in [Reply::silence(), Reply::new(200, RUNNING).silent_after(3)] {
        let server = Server::in_turn(vec![silence]).await;
        let client = builder(&server).settings(settings.clone()).build().unwrap();
        let error = status(&client).await.unwrap_err();
        assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
        let expected = format!("asking for the state of a collection: {} did not answer within 50ms", server.endpoint);
        assert_eq!(error.to_string(), expected);
        assert_eq!(server.seen().len(), 2, "a read is tried again");

        assert!(matches!(collect(&client).await, Err(ClientError::Timeout { .. })));
        assert_eq!(server.seen().len(), 3, "a collection is not");
    }
}

#[tokio::test]
async fn where_nothing_listens_the_endpoint_is_named() {
    let endpoint = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let client =
        Client::builder(&endpoint).credentials(access_key()).project(project()).settings(quick()).build().unwrap();
    let error = collect(&client).await.unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
    let message = error.to_string();
    assert!(message.starts_with(&format!("starting a collection: cannot connect to {endpoint}: Connection refused")));
}

#[tokio::test]
async fn even_a_collection_is_sent_again_if_there_was_no_connection() {
    // Whoever closes in the middle of a TLS greeting has not been asked for anything yet.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicUsize::new(0));
    let counting = accepted.clone();
    let closing = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counting.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
    });
    let client = Client::builder(&endpoint)
        .credentials(access_key())
        .project(project())
        .settings(quick())
        // So that the test needs no certificates of the system.
        .ca_certificates(crate::tls::AUTHORITY)
        .build()
        .unwrap();
    let error = collect(&client).await.unwrap_err();
    closing.abort();
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
    assert_eq!(accepted.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_wait_tells_each_state_and_ends_with_the_last() {
    for (last, expected) in [
        ("finished", CollectionStatus::Finished),
        ("error", CollectionStatus::Error),
        ("unrecognized", CollectionStatus::Unrecognized),
    ] {
        let last = Reply::new(200, format!(r#"{{"status":"{last}"}}"#));
        let server = Server::in_turn(vec![Reply::new(200, RUNNING), Reply::new(200, RUNNING), last]).await;
        let mut told = Vec::new();
        let end = client(&server)
            .wait(&instance(), &node(), &request_id(), Duration::from_mins(1), |status, _| told.push(status))
            .await;
        assert_eq!(end.unwrap(), expected);
        assert_eq!(told, [CollectionStatus::Running, CollectionStatus::Running, expected]);
    }
}

#[tokio::test]
async fn a_wait_has_an_end() {
    let server = Server::in_turn(vec![Reply::new(200, RUNNING)]).await;
    let limit = Duration::from_millis(20);
    let error = client(&server).wait(&instance(), &node(), &request_id(), limit, |_, _| {}).await.unwrap_err();
    assert!(matches!(error, ClientError::StillRunning { .. }), "{error}");
    assert!(error.to_string().contains("realtime_session-0627a175"), "{error}");
}

#[tokio::test]
async fn a_wait_asks_the_server_to_wait_as_long_as_it_may() {
    for (limit, preference) in [
        (Duration::from_mins(1), Some("wait=10")),
        (Duration::from_millis(3500), Some("wait=3")),
        (Duration::from_millis(900), None),
    ] {
        let server = Server::in_turn(vec![Reply::new(200, r#"{"status":"finished"}"#)]).await;
        client(&server).wait(&instance(), &node(), &request_id(), limit, |_, _| {}).await.unwrap();
        let asked = &server.seen()[0];
        assert_eq!(asked.header("prefer"), preference, "{limit:?}");
        assert!(!asked.header("authorization").unwrap().contains("prefer"), "a gateway may take it away");
    }
    let server = Server::in_turn(vec![Reply::new(200, RUNNING)]).await;
    client(&server).task_status(&instance(), &node(), &request_id()).await.unwrap();
    assert_eq!(server.seen()[0].header("prefer"), None, "who only asks is answered at once");
}
