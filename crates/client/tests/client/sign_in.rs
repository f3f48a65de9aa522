//! Password authentication: how the client requests, reuses and replaces tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clew_client::{Client, ClientConfig, ClientError, CollectionStatus, Credentials, ProjectRef};
use serde_json::{Value, json};

use crate::loopback_server::{Reply, Request, Server, config, config_for, instance, node, project, request_id};

const RUNNING: &str = r#"{"status":"running"}"#;

fn is_sign_in(request: &Request) -> bool {
    request.target == "/v3/auth/tokens?nocatalog=true"
}

fn token(value: &str) -> Reply {
    Reply::new(201, json!({"token": {"project": {"id": project().as_str(), "name": "eu-1"}}}).to_string())
        .header("x-subject-token", value)
}

fn password() -> Credentials {
    Credentials::password("acme", "ada", "correct horse".into())
}

fn password_client(server: &Server) -> Client {
    Client::new(ClientConfig { credentials: password(), ..config(server) }).unwrap()
}

async fn status(client: &Client) -> Result<CollectionStatus, ClientError> {
    client.fetch_collection_status(&instance(), &node(), &request_id()).await
}

fn sign_ins(server: &Server) -> usize {
    server.requests().iter().filter(|request| is_sign_in(request)).count()
}

/// Starts a server that issues `token-0`, `token-1`, …, and accepts only the token with the given number.
async fn server_that_accepts(accepted: usize) -> Server {
    let issued = Arc::new(AtomicUsize::new(0));
    Server::start(move |request, _| {
        if is_sign_in(request) {
            return token(&format!("token-{}", issued.fetch_add(1, Ordering::Relaxed)));
        }
        if request.header("x-auth-token") == Some(&format!("token-{accepted}")) {
            Reply::new(200, RUNNING)
        } else {
            Reply::new(401, r#"{"error_code":"APIGW.0307","error_msg":"The token must be updated."}"#)
        }
    })
    .await
}

#[tokio::test]
async fn token_of_a_password_is_used_for_all_requests() {
    let server = server_that_accepts(0).await;
    let client = password_client(&server);
    for _ in 0..3 {
        assert_eq!(status(&client).await.unwrap(), CollectionStatus::Running);
    }
    let requests = server.requests();
    assert_eq!((requests.len(), sign_ins(&server)), (4, 1));
    assert_eq!((requests[0].method.as_str(), requests[0].header("x-auth-token")), ("POST", None));
    let body: Value = serde_json::from_str(&requests[0].body).unwrap();
    let user = json!({"name": "ada", "password": "correct horse", "domain": {"name": "acme"}});
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    let scope = json!({"project": {"id": project().as_str()}});
    assert_eq!(body, json!({"auth": {"identity": identity, "scope": scope}}));
    assert!(requests.iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn scope_contains_the_region_and_the_token_returns_the_project() {
    let server = server_that_accepts(0).await;
    let client = Client::new(config_for(&server.endpoint, password(), ProjectRef::Region("eu-1".into()))).unwrap();
    status(&client).await.unwrap();
    let requests = server.requests();
    let body: Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!(body["auth"]["scope"], json!({"project": {"name": "eu-1"}}));
    assert_eq!((requests.len(), sign_ins(&server)), (2, 1));
    assert!(requests[1].target.starts_with(&format!("/v3/{}/", project())));
}

#[tokio::test]
async fn expired_token_is_replaced_once() {
    let server = server_that_accepts(1).await;
    let client = password_client(&server);
    assert_eq!(status(&client).await.unwrap(), CollectionStatus::Running);
    assert_eq!((server.requests().len(), sign_ins(&server)), (4, 2));

    let server = server_that_accepts(usize::MAX).await;
    let error = status(&password_client(&server)).await.unwrap_err();
    assert_eq!(error.http_status(), Some(401), "{error}");
    assert_eq!((server.requests().len(), sign_ins(&server)), (4, 2));
}

#[tokio::test]
async fn concurrent_requests_share_one_sign_in() {
    let server = server_that_accepts(1).await;
    let client = password_client(&server);
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { status(&client).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), CollectionStatus::Running);
    }
    assert_eq!(sign_ins(&server), 2, "one expired token and one valid token");
}

#[tokio::test]
async fn wrong_password_is_reported_and_not_retried() {
    let refusal = r#"{"error_code":"IAM.0001","error_msg":"User name or password is wrong."}"#;
    let server = Server::with_replies(vec![Reply::new(401, refusal)]).await;
    let error = status(&password_client(&server)).await.unwrap_err();
    assert_eq!(error.to_string(), "signing in: User name or password is wrong. (IAM.0001, HTTP 401)");
    assert_eq!(server.requests().len(), 1, "repeated attempts may lock the account");
}

#[tokio::test]
async fn invalid_token_response_is_rejected() {
    for (reply, why) in [
        (Reply::new(201, r#"{"token":{"project":{"id":"054e292c9880d4992f02c0196d3ea468"}}}"#), "no X-Subject-Token"),
        (Reply::new(201, r#"{"token":{}}"#).header("x-subject-token", "t"), "the token has no project"),
        (Reply::new(201, "hello").header("x-subject-token", "t"), "expected value"),
    ] {
        let server = Server::with_replies(vec![reply]).await;
        let error = status(&password_client(&server)).await.unwrap_err();
        assert!(matches!(error, ClientError::InvalidResponse { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}
