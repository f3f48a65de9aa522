//! Consistency of the OpenAPI document with the routes.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::server::Server;

#[test]
fn openapi_document_matches_the_snapshot() {
    insta::assert_snapshot!("openapi", clew_api::build_openapi_json());
}

#[tokio::test]
async fn server_returns_the_openapi_document() {
    let server = Server::start().await;
    let answer = server.call(Method::GET, "/openapi.json").anonymous().send().await;
    assert_eq!((answer.status, answer.header("content-type").as_str()), (StatusCode::OK, "application/json"));
    assert_eq!(answer.text(), clew_api::build_openapi_json());
}

/// Method, path with ids of the server, and description of every operation.
fn operations(server: &Server) -> Vec<(Method, String, Value)> {
    let description: Value = serde_json::from_str(&clew_api::build_openapi_json()).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let path = path
            .replace("{project_id}", server.tenant.project_id.as_str())
            .replace("{instance_id}", server.instance.id.as_str())
            .replace("{node_id}", server.node().as_str())
            .replace(['{', '}'], "");
        for (method, operation) in methods.as_object().unwrap() {
            operations.push((method.to_ascii_uppercase().parse().unwrap(), path.clone(), operation.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn every_operation_exists_and_responds_with_a_described_status() {
    let server = Server::start().await;
    for (method, path, operation) in operations(&server) {
        let answer = server.call(method.clone(), &path).send().await;
        assert!(!answer.text().contains("APIGW.0101"), "{method} {path}: {}", answer.text());
        let described = operation["responses"].as_object().unwrap();
        assert!(described.contains_key(answer.status.as_str()), "{method} {path}: {}", answer.text());
    }
}

#[tokio::test]
async fn operations_require_credentials_unless_described_as_public() {
    let server = Server::start().await;
    for (method, path, operation) in operations(&server) {
        let open = operation["security"] == serde_json::json!([{}]);
        let status = server.call(method.clone(), &path).anonymous().send().await.status;
        assert_eq!(status == StatusCode::UNAUTHORIZED, !open, "{method} {path}: {status}");
    }
}
