//! Invalid bodies and queries of all routes below `/clew/v1/`.

use http::Method;
use serde_json::json;

use super::call;
use crate::server::Server;

#[tokio::test]
async fn invalid_field_is_named_in_the_error() {
    let server = Server::start().await;
    let long = "x".repeat(65);
    for (path, body, reason) in [
        ("projects", json!({}), "name is missing"),
        ("projects", json!({ "name": null }), "name is missing"),
        ("projects", json!({ "name": 7 }), "name cannot be \"7\""),
        ("projects", json!({ "name": "" }), "A name cannot be \"\"; it has 1 to 64 characters"),
        ("projects", json!({ "name": long }), "it has 1 to 64 characters"),
        ("projects", json!({ "name": "a b" }), "letters, digits and -_."),
        ("projects", json!({ "name": "a\u{0}" }), "A name cannot be"),
        ("projects", json!({ "name": ".." }), "A name cannot be \"..\""),
        (
            "projects",
            json!({ "name": "a", "descripton": "" }),
            "descripton is not a known field; did you mean description?",
        ),
        ("projects", json!({ "name": "a", "description": "x".repeat(1001) }), "description has 1001 characters"),
        ("projects", json!({ "name": "a", "description": "\u{1b}[2J" }), "description has control characters"),
        ("enterprise-projects", json!({ "name": "a", "enabled": true }), "enabled is not a known field."),
        ("groups", json!({ "name": "é" }), "A name cannot be \"é\""),
        ("groups", json!([]), "The body cannot be read: invalid type: sequence, expected an object"),
        ("users", json!({ "name": "a", "administrator": "yes" }), "administrator cannot be"),
        ("users", json!({ "name": "ada.l", "password": "1234567" }), "A password has 8 to 128 characters"),
        ("users", json!({ "name": "lovelace", "password": "LoveLace" }), "A password cannot be the user's name"),
        ("users", json!({ "name": "a", "password": 12_345_678 }), "password is not a text"),
        ("password", json!({ "old": "12345678", "new": "12345678" }), "The new password is the old one"),
        ("password", json!({ "new": "12345678" }), "old is missing"),
        ("policies/validate", json!({ "document": 1 }), "document cannot be \"1\""),
        ("policies/validate", json!({}), "document is missing"),
        ("policies/simulate", json!({ "action": "x" }), "There is no action \"x\""),
    ] {
        let message = server.send_as_admin(Method::POST, path, body.clone()).await.expect_error(400, "IAM.0007");
        assert!(message.contains(reason), "{path} {body}: {message}");
    }
    let twice = call(&server, Method::POST, "projects", &json!({})).body(r#"{"name":"a","name":"b"}"#);
    assert!(server.sign(twice).send().await.expect_error(400, "IAM.0007").contains("name is there more than once"));
    let chinese = server.sign(call(&server, Method::POST, "projects", &json!({ "nam": "a" })).chinese()).send().await;
    assert!(chinese.expect_error(400, "IAM.0007").contains("是否为name"));
}

#[tokio::test]
async fn invalid_query_parameters_are_rejected() {
    let server = Server::start().await;
    for (path, reason) in [
        ("projects?limit=0", "limit cannot be 0; it is 1 to 100"),
        ("users?limit=101", "limit cannot be 101"),
        ("groups?offset=-1", "offset cannot be -1"),
        ("policies?limit=1&limit=2", "limit is there more than once"),
        ("audit?limit=1001", "limit cannot be 1001; it is 1 to 1000"),
        ("audit?after=-1", "after cannot be \"-1\""),
        ("audit?from=yesterday", "from cannot be \"yesterday\""),
        ("audit?outcome=ok", "outcome cannot be \"ok\""),
        ("audit?project_id=x", "project_id cannot be \"x\""),
        ("audit?node_id=x", "node_id cannot be \"x\""),
        ("audit?actr=ada", "actr is not a known field; did you mean actor?"),
        ("audit/export?limit=1", "limit is not a known field."),
    ] {
        let message = server.send_as_admin(Method::GET, path, json!(null)).await.expect_error(400, "IAM.0007");
        assert!(message.contains(reason), "{path}: {message}");
    }
}
