//! Limits on open event streams per principal, and availability of the operations endpoints.

use std::time::Duration;

use clew_api::RateLimitSettings;
use clew_model::UserId;
use clew_store::{Grantee, PolicyRef};
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::events::Events;
use super::stream::path;
use crate::limits::{MAX_WAIT, read_response, read_until_closed};
use crate::server::{NO_RATES, Server, test_origin};

/// Opens an event stream over a new connection and reads the response head.
async fn open_stream(server: &Server) -> TcpStream {
    let mut connection = server.connect().await;
    let request = server.raw(&format!("GET {}", path(server, "stream")), "\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut head = String::new();
    while !head.contains("\r\n\r\n") {
        let mut piece = [0; 1024];
        let length = timeout(MAX_WAIT, connection.read(&mut piece)).await.unwrap().unwrap();
        assert!(length > 0, "closed after {head:?}");
        head.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    connection
}

async fn metrics(server: &Server) -> String {
    server.call(Method::GET, "/metrics").anonymous().send().await.text()
}

#[tokio::test]
async fn event_streams_per_principal_are_limited() {
    let server = Server::start_with(|settings, _| settings.max_streams_per_principal = 3).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(open_stream(&server).await);
    }
    let stream = path(&server, "stream");
    let refused = server.get(&stream).await;
    let message = refused.expect_error(429, "APIGW.0308");
    assert!(message.contains("Too many open event streams: the limit is 3 per user"), "{message}");
    assert_eq!(refused.header("retry-after"), "5");
    let chinese = server.get_in_chinese(&stream).await.expect_error(429, "APIGW.0308");
    assert!(chinese.contains("该用户已打开3个事件流，已达上限"), "{chinese}");
    // Signed requests of the same user count with the tokens; other users have a limit of their own.
    server.sign(server.call(Method::GET, &stream)).send().await.expect_error(429, "APIGW.0308");
    let reader = server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await;
    let reader = server.project_token(&reader).await;
    assert_eq!(server.call(Method::GET, &stream).token(&reader).send().await.status, 200);
    // Other requests are not affected.
    server.get(&format!("/v3/{}/instances", server.tenant.project_id)).await.expect_status(200);
    let counted = metrics(&server).await;
    assert!(counted.contains("clew_http_rate_limited_total{limit=\"streams\"} 3\n"), "{counted}");
    drop(open.pop());
    let mut accepted = false;
    for _ in 0..1000 {
        accepted = server.get(&stream).await.status == 200;
        if accepted {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(accepted, "closed stream still counts");
}

/// Creates a user whose policies have 210 KiB and take about 32 Mi units of work per decision.
async fn user_with_expensive_policies(server: &Server) -> UserId {
    let user = server.user(&"a".repeat(200)).await;
    server.attach_system("TaurusDBReadOnlyAccessPolicy", &user).await;
    let pattern = format!("*?{}b", "a".repeat(31));
    let patterns = vec![pattern.clone(); (30 << 10) / (pattern.len() + 3)];
    let document = json!({
        "Version": "5.0",
        "Statement": [{
            "Effect": "Deny", "Action": ["*"], "Condition": { "StringMatch": { "g:UserName": patterns } }
        }]
    });
    for number in 0..7 {
        let (domain, name) = (&server.tenant.domain_id, format!("p{number}"));
        let policy = server
            .store
            .policies()
            .put_policy(&test_origin(), domain, &name, "identity", &document.to_string(), "")
            .await;
        let (policy, to) = (PolicyRef::Custom(policy.unwrap()), Grantee::User(user.clone()));
        assert!(server.store.policies().attach_policy(&test_origin(), &policy, &to, None).await.unwrap());
    }
    user
}

#[tokio::test]
async fn expensive_policies_of_an_event_stream_count_as_requests() {
    // The request consumes 1, its policies 6, their evaluation about 32.
    let rates = RateLimitSettings { principal_per_second: 1, principal_burst: 50, ..NO_RATES };
    let server = Server::start_limited(rates, |_, _| {}).await;
    let user = user_with_expensive_policies(&server).await;
    let token = server.project_token(&user).await;
    let mut events = Events::open(server.call(Method::GET, &path(&server, "stream")).token(&token)).await;
    // A change of identities makes the stream decide again: another 32, more than the rest of the quota.
    server.user("grace").await;
    assert_eq!(events.expect("end", &["read-error", "snapshot"]).await.data["reason"], "forbidden");
}

#[tokio::test]
async fn operations_endpoints_work_while_all_connections_are_in_use() {
    let server = Server::start_with(|settings, _| {
        settings.connections.max_connections = 4;
        settings.max_streams_per_principal = 0;
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(open_stream(&server).await);
    }
    for _ in 0..3 {
        for path in ["/healthz", "/readyz", "/metrics"] {
            let mut connection = server.connect().await;
            connection.write_all(server.raw(&format!("GET {path}"), "\r\n").as_bytes()).await.unwrap();
            let text = read_response(&mut connection).await;
            assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("connection: close\r\n"), "{text}");
            assert_eq!(read_until_closed(&mut connection).await, b"", "connection must be released");
        }
    }
    let instances = format!("/v3/{}/instances", server.tenant.project_id);
    let refused = server.get(&instances).await;
    let message = refused.expect_error(503, "APIGW.0201");
    assert!(message.contains("only /healthz, /readyz and /metrics are served"), "{message}");
    assert_eq!(refused.header("retry-after"), "5");
    let counted = metrics(&server).await;
    assert!(counted.contains("clew_http_rate_limited_total{limit=\"all_connections\"}"), "{counted}");
    drop(open.pop());
    let mut accepted = false;
    for _ in 0..1000 {
        accepted = server.get(&instances).await.status == 200;
        if accepted {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(accepted, "closed connection still counts");
}

#[tokio::test]
async fn idle_connections_release_reserved_connections() {
    let server = Server::start_with(|settings, _| {
        settings.connections.max_connections = 1;
        settings.connections.max_reserved_connections = 1;
        settings.connections.header_read_timeout = MAX_WAIT * 10;
    })
    .await;
    let _regular = server.connect().await;
    let _idle = server.connect().await;
    let mut health = server.connect().await;
    health.write_all(server.raw("GET /healthz", "\r\n").as_bytes()).await.unwrap();
    assert!(read_response(&mut health).await.ends_with("ok\n"));
}
