//! Operations endpoints.

use http::Method;

use crate::server::Server;

#[tokio::test]
async fn health_and_readiness_require_no_credentials() {
    let server = Server::start().await;
    for path in ["/healthz", "/readyz"] {
        let answer = server.call(Method::GET, path).anonymous().send().await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "ok\n"), "{path}");
    }
}

#[tokio::test]
async fn metrics_count_responses_and_tasks() {
    let server = Server::start().await;
    server.add_finished(b"").await;
    server.queued().await;
    server.get("/v3/projects").await.expect_status(200);
    server.get("/v3/projects").await.expect_status(200);
    server.get(&server.sessions("-task")).await.expect_error(400, "DBS.280001");
    let answer = server.call(Method::GET, "/metrics").anonymous().send().await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    let text = answer.text();
    let route = "/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/realtime-session-task";
    for line in [
        r#"clew_http_requests_total{method="GET",route="/v3/projects",status="200"} 2"#,
        &format!(r#"clew_http_requests_total{{method="GET",route="{route}",status="400"}} 1"#),
        r#"clew_tasks{status="finished"} 1"#,
        r#"clew_tasks{status="queued"} 1"#,
        r#"clew_tasks{status="running"} 0"#,
        r#"clew_tasks{status="error"} 0"#,
        "# EOF",
    ] {
        assert!(text.lines().any(|known| known == line), "no line {line} in\n{text}");
    }
    assert!(text.contains("clew_http_request_duration_seconds_count"), "{text}");
    assert!(text.contains("clew_collection_duration_seconds_count 0"), "{text}");
}

#[tokio::test]
async fn unknown_paths_create_no_metric_series() {
    let server = Server::start().await;
    for (method, path) in [("BREW", "/healthz"), ("GET", "/wp-login.php"), ("PROPFIND", "/hidden")] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        server.call(method, path).anonymous().send().await.expect_error(404, "APIGW.0101");
    }
    let text = server.get("/metrics").await.text();
    for word in ["BREW", "PROPFIND", "wp-login", "hidden"] {
        assert!(!text.contains(word), "{text}");
    }
    assert!(text.contains(r#"method="other""#), "{text}");
}
