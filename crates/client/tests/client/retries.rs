//! Retries of requests, and waiting for a collection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clew_client::{Client, ClientConfig, ClientError, CollectionStatus, ProjectRef, Settings, StartCollectionRequest};

use crate::loopback_server::{
    Reply, Server, access_key, client, config, config_for, fast_settings, instance, node, project, request_id,
};

const STARTED: &str = r#"{"request_id":"realtime_session-x"}"#;
const RUNNING: &str = r#"{"status":"running"}"#;

async fn collect(client: &Client) -> Result<clew_client::RequestId, ClientError> {
    client.start_collection(&instance(), &node(), &StartCollectionRequest::default()).await
}

async fn status(client: &Client) -> Result<CollectionStatus, ClientError> {
    client.fetch_collection_status(&instance(), &node(), &request_id()).await
}

fn error(status: u16) -> Reply {
    Reply::new(status, r#"{"error_code":"X.1","error_msg":"for a test"}"#)
}

#[tokio::test]
async fn rejected_collection_is_retried() {
    for refusal in [429, 503] {
        let server = Server::with_replies(vec![error(refusal), error(refusal), Reply::new(202, STARTED)]).await;
        assert_eq!(collect(&client(&server)).await.unwrap().as_str(), "realtime_session-x");
        let requests = server.requests();
        assert_eq!(requests.len(), 3, "{refusal}");
        assert!(requests.iter().all(|one| one.method == "POST" && one.body == "{}"), "{requests:?}");
    }
}

#[tokio::test]
async fn collection_that_may_have_started_is_not_retried() {
    for fault in [error(500), error(502), error(504), Reply::close(), Reply::new(202, STARTED).cut_after(5)] {
        let server = Server::with_replies(vec![fault.clone(), Reply::new(202, STARTED)]).await;
        assert!(collect(&client(&server)).await.is_err(), "{fault:?}");
        assert_eq!(server.requests().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn reads_are_retried_after_temporary_errors() {
    for fault in [error(429), error(500), error(502), error(503), Reply::close(), Reply::new(200, RUNNING).cut_after(5)]
    {
        let server = Server::with_replies(vec![fault.clone(), Reply::new(200, RUNNING)]).await;
        assert_eq!(status(&client(&server)).await.unwrap(), CollectionStatus::Running, "{fault:?}");
        assert_eq!(server.requests().len(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn permanent_errors_are_not_retried() {
    for refusal in [400, 401, 403, 404, 409] {
        let server = Server::with_replies(vec![error(refusal), Reply::new(200, RUNNING)]).await;
        assert_eq!(status(&client(&server)).await.unwrap_err().http_status(), Some(refusal));
        assert_eq!(server.requests().len(), 1, "{refusal}");
    }
}

#[tokio::test]
async fn attempts_are_limited_and_the_last_error_is_returned() {
    let server = Server::with_replies(vec![error(503)]).await;
    assert_eq!(status(&client(&server)).await.unwrap_err().http_status(), Some(503));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn retry_after_replaces_the_backoff() {
    // The backoff would be an hour, so the test completes only if `Retry-After` replaces the backoff.
    let settings =
        Settings { initial_backoff: Duration::from_hours(1), max_backoff: Duration::from_hours(2), ..fast_settings() };
    let server = Server::with_replies(vec![error(429).header("retry-after", "0"), Reply::new(200, RUNNING)]).await;
    let client = Client::new(ClientConfig { settings, ..config(&server) }).unwrap();
    assert_eq!(status(&client).await.unwrap(), CollectionStatus::Running);
}

#[tokio::test]
async fn too_long_retry_after_is_not_waited_for() {
    let server = Server::with_replies(vec![error(503).header("retry-after", "3600"), Reply::new(200, RUNNING)]).await;
    match status(&client(&server)).await {
        Err(ClientError::Api { status: 503, retry_after: Some(delay), .. }) => {
            assert_eq!(delay, Duration::from_hours(1));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn missing_response_times_out_with_the_operation() {
    let settings = Settings { response_timeout: Duration::from_millis(50), max_attempts: 2, ..fast_settings() };
    for fault in [Reply::no_response(), Reply::new(200, RUNNING).stall_after(3)] {
        let server = Server::with_replies(vec![fault]).await;
        let client = Client::new(ClientConfig { settings: settings.clone(), ..config(&server) }).unwrap();
        let error = status(&client).await.unwrap_err();
        assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
        let expected = format!("reading the state of a collection: {} did not respond within 50ms", server.endpoint);
        assert_eq!(error.to_string(), expected);
        assert_eq!(server.requests().len(), 2, "number of attempts of a read");

        assert!(matches!(collect(&client).await, Err(ClientError::Timeout { .. })));
        assert_eq!(server.requests().len(), 3, "number of attempts of a collection");
    }
}

#[tokio::test]
async fn refused_connection_names_the_endpoint() {
    let endpoint = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let client = Client::new(config_for(&endpoint, access_key(), ProjectRef::Project(project()))).unwrap();
    let error = collect(&client).await.unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
    let message = error.to_string();
    assert!(message.starts_with(&format!("starting a collection: cannot connect to {endpoint}: Connection refused")));
}

#[tokio::test]
async fn collection_is_retried_if_there_was_no_connection() {
    // A connection that closes during the TLS handshake has not received a request.
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
    let client = Client::new(ClientConfig {
        // The test must not depend on certificates of the system.
        ca_certificates: vec![crate::tls::AUTHORITY.into()],
        ..config_for(&endpoint, access_key(), ProjectRef::Project(project()))
    })
    .unwrap();
    let error = collect(&client).await.unwrap_err();
    closing.abort();
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
    assert_eq!(accepted.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn wait_reports_each_state_and_returns_the_last() {
    for (last, expected) in [
        ("finished", CollectionStatus::Finished),
        ("error", CollectionStatus::Error),
        ("unrecognized", CollectionStatus::Unrecognized),
    ] {
        let last = Reply::new(200, format!(r#"{{"status":"{last}"}}"#));
        let server = Server::with_replies(vec![Reply::new(200, RUNNING), Reply::new(200, RUNNING), last]).await;
        let mut states = Vec::new();
        let end = client(&server)
            .wait_for_collection_task(&instance(), &node(), &request_id(), Duration::from_mins(1), |status, _| {
                states.push(status);
            })
            .await;
        assert_eq!(end.unwrap(), expected);
        assert_eq!(states, [CollectionStatus::Running, CollectionStatus::Running, expected]);
    }
}

#[tokio::test]
async fn wait_times_out() {
    let server = Server::with_replies(vec![Reply::new(200, RUNNING)]).await;
    let limit = Duration::from_millis(20);
    let error = client(&server)
        .wait_for_collection_task(&instance(), &node(), &request_id(), limit, |_, _| {})
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::StillRunning { .. }), "{error}");
    assert!(error.to_string().contains("realtime_session-0627a175"), "{error}");
}

#[tokio::test]
async fn wait_requests_long_polling_within_its_limit() {
    for (limit, preference) in [
        (Duration::from_mins(1), Some("wait=10")),
        (Duration::from_millis(3500), Some("wait=3")),
        (Duration::from_millis(900), None),
    ] {
        let server = Server::with_replies(vec![Reply::new(200, r#"{"status":"finished"}"#)]).await;
        client(&server).wait_for_collection_task(&instance(), &node(), &request_id(), limit, |_, _| {}).await.unwrap();
        let request = &server.requests()[0];
        assert_eq!(request.header("prefer"), preference, "{limit:?}");
        assert!(
            !request.header("authorization").unwrap().contains("prefer"),
            "the signature covers a header that a gateway may remove"
        );
    }
    let server = Server::with_replies(vec![Reply::new(200, RUNNING)]).await;
    client(&server).fetch_collection_status(&instance(), &node(), &request_id()).await.unwrap();
    assert_eq!(server.requests()[0].header("prefer"), None, "long polling without a wait");
}
