//! The description of the API, which must be that of the routes.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::server::Server;

#[test]
fn the_description_is_as_it_was() {
    insta::assert_snapshot!("openapi", clew_api::openapi_json());
}

#[tokio::test]
async fn the_server_shows_the_same_description() {
    let server = Server::start().await;
    let answer = server.call(Method::GET, "/openapi.json").anonymous().send().await;
    assert_eq!((answer.status, answer.header("content-type").as_str()), (StatusCode::OK, "application/json"));
    assert_eq!(answer.text(), clew_api::openapi_json());
}

/// Method and path of every described operation, with ids of the server in the path, and the operation itself.
fn operations(server: &Server) -> Vec<(Method, String, Value)> {
    let description: Value = serde_json::from_str(&clew_api::openapi_json()).unwrap();
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
async fn every_described_operation_is_there_and_answers_as_described() {
    let server = Server::start().await;
    for (method, path, operation) in operations(&server) {
        let answer = server.call(method.clone(), &path).send().await;
        assert!(!answer.text().contains("APIGW.0101"), "{method} {path}: {}", answer.text());
        let described = operation["responses"].as_object().unwrap();
        assert!(described.contains_key(answer.status.as_str()), "{method} {path}: {}", answer.text());
    }
}

#[tokio::test]
async fn operations_need_credentials_unless_described_as_open() {
    let server = Server::start().await;
    for (method, path, operation) in operations(&server) {
        let open = operation["security"] == serde_json::json!([{}]);
        let status = server.call(method.clone(), &path).anonymous().send().await.status;
        assert_eq!(status == StatusCode::UNAUTHORIZED, !open, "{method} {path}: {status}");
    }
}
