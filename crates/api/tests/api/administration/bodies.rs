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
        ("projects", json!({ "name": 7 }), "Invalid value for name: \"7\""),
        ("projects", json!({ "name": "" }), "Invalid name \"\". Fix: use 1 to 64 letters"),
        ("projects", json!({ "name": long }), "Fix: use 1 to 64 letters"),
        ("projects", json!({ "name": "a b" }), "letters, digits and the characters -_."),
        ("projects", json!({ "name": "a\u{0}" }), "Invalid name"),
        ("projects", json!({ "name": ".." }), "Invalid name \"..\""),
        ("projects", json!({ "name": "a", "descripton": "" }), "Unknown field: descripton. Did you mean description?"),
        (
            "projects",
            json!({ "name": "a", "description": "x".repeat(1001) }),
            "Invalid length of description: 1001 characters",
        ),
        ("projects", json!({ "name": "a", "description": "\u{1b}[2J" }), "description contains control characters"),
        ("enterprise-projects", json!({ "name": "a", "enabled": true }), "Unknown field: enabled."),
        ("groups", json!({ "name": "é" }), "Invalid name \"é\""),
        ("groups", json!([]), "Cannot read the request body: invalid type: sequence, expected an object"),
        ("users", json!({ "name": "a", "administrator": "yes" }), "Invalid value for administrator"),
        ("users", json!({ "name": "ada.l", "password": "1234567" }), "A password must have 8 to 128 characters"),
        (
            "users",
            json!({ "name": "lovelace", "password": "LoveLace" }),
            "The password must not be the same as the user name",
        ),
        ("users", json!({ "name": "a", "password": 12_345_678 }), "password must be a string"),
        (
            "password",
            json!({ "old": "12345678", "new": "12345678" }),
            "The new password must differ from the current password",
        ),
        ("password", json!({ "new": "12345678" }), "old is missing"),
        ("policies/validate", json!({ "document": 1 }), "Invalid value for document: \"1\""),
        ("policies/validate", json!({}), "document is missing"),
        ("policies/simulate", json!({ "user_id": "x", "action": "x" }), "Unknown policy action: \"x\""),
    ] {
        let message = server.send_as_admin(Method::POST, path, body.clone()).await.expect_error(400, "IAM.0007");
        assert!(message.contains(reason), "{path} {body}: {message}");
    }
    let twice = call(&server, Method::POST, "projects", &json!({})).body(r#"{"name":"a","name":"b"}"#);
    assert!(server.sign(twice).send().await.expect_error(400, "IAM.0007").contains("name is specified more than once"));
    let chinese = server.sign(call(&server, Method::POST, "projects", &json!({ "nam": "a" })).chinese()).send().await;
    assert!(chinese.expect_error(400, "IAM.0007").contains("是否应为name"));
}

#[tokio::test]
async fn invalid_query_parameters_are_rejected() {
    let server = Server::start().await;
    for (path, reason) in [
        ("projects?limit=0", "Invalid value for limit: 0. Fix: use 1 to 100"),
        ("users?limit=101", "Invalid value for limit: 101"),
        ("groups?offset=-1", "Invalid value for offset: -1"),
        ("policies?limit=1&limit=2", "limit is specified more than once"),
        ("audit?limit=1001", "Invalid value for limit: 1001. Fix: use 1 to 1000"),
        ("audit?after=-1", "Invalid value for after: \"-1\""),
        ("audit?from=yesterday", "Invalid value for from: \"yesterday\""),
        ("audit?outcome=ok", "Invalid value for outcome: \"ok\""),
        ("audit?project_id=x", "Invalid value for project_id: \"x\""),
        ("audit?node_id=x", "Invalid value for node_id: \"x\""),
        ("audit?actr=ada", "Unknown field: actr. Did you mean actor?"),
        ("audit/export?limit=1", "Unknown field: limit."),
    ] {
        let message = server.send_as_admin(Method::GET, path, json!(null)).await.expect_error(400, "IAM.0007");
        assert!(message.contains(reason), "{path}: {message}");
    }
}
