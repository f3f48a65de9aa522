//! Headers of all responses, and allowed hosts.

use clew_http::AllowedHosts;
use http::Method;

use crate::server::Server;

#[tokio::test]
async fn responses_have_cache_control_and_nosniff_headers() {
    let server = Server::start().await;
    for answer in [
        server.get("/v3/projects").await,
        server.get("/no/such").await,
        server.call(Method::GET, "/v3/projects").anonymous().send().await,
        server.get("/openapi.json").await,
        server.get("/clew/v1/audit/export").await,
    ] {
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(!answer.headers.contains_key("strict-transport-security"), "HSTS requires TLS");
    }
    let id = server.add_finished(b"a\r\n").await;
    let downloaded = server.get(&server.result_of(&id)).await;
    assert_eq!(downloaded.header("cache-control"), "private, no-cache");
    assert_eq!(downloaded.header("x-content-type-options"), "nosniff");
    // A reserved connection: all regular connections are in use.
    let full = Server::start_with(|settings, _| settings.connections.max_connections = 1).await;
    let _held = full.connect().await;
    let refused = full.get("/v3/projects").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("cache-control"), "no-store");
    assert_eq!(refused.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn requests_for_other_hosts_are_rejected() {
    let server = Server::start_with(|settings, _| {
        settings.allowed_hosts = AllowedHosts::parse(&["clew.example.com".into()]).unwrap();
    })
    .await;
    let get = |path: &str, host: &str| server.call(Method::GET, path).header("host", host);
    get("/v3/projects", "clew.example.com:8407").send().await.expect_status(200);
    for path in ["/v3/projects", "/", "/metrics", "/no/such", "/openapi.json"] {
        let message = get(path, "evil.example").send().await.expect_error(421, "APIGW.0201");
        assert!(message.contains("\"evil.example\" is not in http.allowed_hosts. Fix:"), "{message}");
    }
    let chinese = get("/v3/projects", "evil.example").chinese().send().await.expect_error(421, "APIGW.0201");
    assert!(chinese.contains("evil.example") && !chinese.contains("Fix:"), "{chinese}");
    assert_eq!(
        get("/healthz", "10.0.0.7:8407").send().await.status,
        200,
        "load balancers send an IP address as the host"
    );
    assert_eq!(get("/readyz", "10.0.0.7:8407").send().await.status, 200);
    let anywhere = Server::start().await;
    assert_eq!(anywhere.call(Method::GET, "/v3/projects").header("host", "evil.example").send().await.status, 200);
}
