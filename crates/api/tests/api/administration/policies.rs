//! Policies.

use http::Method;
use serde_json::{Value, json};

use super::{call, done, names, text};
use crate::server::Server;

fn list_policy() -> Value {
    json!({ "Version": "5.0", "Statement": [{ "Effect": "Allow", "Action": ["gaussdbformysql:instance:list"] }] })
}

#[tokio::test]
async fn policy_is_created_shown_replaced_and_deleted() {
    let server = Server::start().await;
    let put = server
        .send_as_admin(
            Method::PUT,
            "policies/list-instances",
            json!({ "document": list_policy(), "description": "Lists instances" }),
        )
        .await
        .expect_status(200);
    assert_eq!(
        (&put["name"], &put["model"], &put["system"]),
        (&json!("list-instances"), &json!("identity"), &json!(false))
    );
    assert_eq!(
        (&put["description"], &put["document"], &put["warnings"]),
        (&json!("Lists instances"), &list_policy(), &json!([]))
    );
    assert_eq!(server.get_json("policies/list-instances").await, put);

    let role = r#"{"Version":"1.1","Statement":[{"Effect":"Allow","Action":["gaussdb:instance:list"]}]}"#;
    let replaced = server
        .send_as_admin(Method::PUT, "policies/list-instances", json!({ "document": role }))
        .await
        .expect_status(200);
    assert_eq!((&replaced["model"], &replaced["description"]), (&json!("role"), &json!("")));
    let list = server.get_json("policies?limit=2").await;
    assert_eq!(
        (names(&list["policies"]), &list["total_count"]),
        (vec!["list-instances", "TaurusDB FullAccess"], &json!(7))
    );

    done(&server.send_as_admin(Method::DELETE, "policies/list-instances", Value::Null).await);
    server.send_as_admin(Method::DELETE, "policies/list-instances", Value::Null).await.expect_error(404, "IAM.0004");
    assert_eq!(server.audit_of("PutPolicy").await.len(), 2);
}

#[tokio::test]
async fn document_text_is_stored_verbatim() {
    let server = Server::start().await;
    let written = "{\n  \"Statement\" : [ { \"Effect\":\"Allow\", \"Action\":[\"gaussdbformysql:instance:list\"] } ],\n  \"Version\": \"5.0\"\n}";
    let body = format!("{{\"document\": {written}}}");
    server
        .sign(call(&server, Method::PUT, "policies/list-instances", &Value::Null).body(body))
        .send()
        .await
        .expect_status(200);
    let stored =
        server.store.policies().find_policy_by_name(&server.tenant.domain_id, "list-instances").await.unwrap().unwrap();
    assert_eq!(stored.document, written);
}

#[tokio::test]
async fn every_document_error_has_a_position() {
    let server = Server::start().await;
    let written = "{\n  \"Version\": \"5.0\",\n  \"Statement\": [\n    {\"Effect\": \"Permit\", \"Action\": [7]},\n    {\"Effect\": \"Deny\"}\n  ]\n}";
    let as_object = format!("{{\"document\":{written}}}");
    let as_text = json!({ "document": written }).to_string();
    for body in [as_object, as_text] {
        let answer = server
            .sign(call(&server, Method::PUT, "policies/list-instances", &Value::Null).body(body.clone()))
            .send()
            .await;
        let message = answer.expect_error(400, "IAM.0011");
        let errors = answer.json()["errors"].as_array().unwrap().clone();
        let positions: Vec<_> = errors.iter().map(|one| (one["line"].clone(), text(&one["path"]))).collect();
        for expected in [(4, "$.Statement[0].Effect"), (4, "$.Statement[0].Action[0]")] {
            assert!(positions.contains(&(json!(expected.0), expected.1.to_owned())), "{positions:?}");
        }
        assert!(positions.iter().any(|(line, _)| *line == 5), "{positions:?}");
        assert!(message.contains(&errors.len().to_string()), "{message}");
        let validation =
            server.sign(call(&server, Method::POST, "policies/validate", &Value::Null).body(body)).send().await;
        let validation = validation.expect_status(200);
        assert_eq!((&validation["valid"], &validation["model"]), (&json!(false), &Value::Null));
        assert_eq!(validation["errors"], Value::Array(errors));
    }
    assert!(server.store.policies().list_policies(&server.tenant.domain_id).await.unwrap().is_empty());
}

#[tokio::test]
async fn valid_but_suspicious_document_is_stored_with_a_warning() {
    let server = Server::start().await;
    let suspicious =
        json!({ "Version": "5.0", "Statement": [{ "Effect": "Allow", "Action": ["gaussdbformysql:instance:lst"] }] });
    let validation = server
        .send_as_admin(Method::POST, "policies/validate", json!({ "document": suspicious }))
        .await
        .expect_status(200);
    assert_eq!(
        (&validation["valid"], &validation["model"], &validation["errors"]),
        (&json!(true), &json!("identity"), &json!([]))
    );
    assert_eq!(validation["warnings"].as_array().unwrap().len(), 1, "{validation}");
    let put =
        server.send_as_admin(Method::PUT, "policies/odd", json!({ "document": suspicious })).await.expect_status(200);
    assert_eq!(put["warnings"], validation["warnings"]);
}

#[tokio::test]
async fn system_policies_are_immutable() {
    let server = Server::start().await;
    let path = "policies/TaurusDB%20ReadOnlyAccess";
    let shown = server.get_json(path).await;
    assert_eq!((&shown["system"], &shown["model"], &shown["updated_at"]), (&json!(true), &json!("role"), &Value::Null));
    assert_eq!(shown["document"]["Version"], "1.1");
    server.send_as_admin(Method::PUT, path, json!({ "document": list_policy() })).await.expect_error(409, "IAM.0005");
    server.send_as_admin(Method::DELETE, path, Value::Null).await.expect_error(409, "IAM.0005");
}

#[tokio::test]
async fn invalid_policy_names_are_rejected() {
    let server = Server::start().await;
    for name in ["a_+=.@-Z9", &*"x".repeat(128)] {
        server
            .send_as_admin(Method::PUT, &format!("policies/{name}"), json!({ "document": list_policy() }))
            .await
            .expect_status(200);
    }
    for name in ["a%20b", "%C3%A9", "a%00", "a%2Fb", &*"x".repeat(129)] {
        let answer =
            server.send_as_admin(Method::PUT, &format!("policies/{name}"), json!({ "document": list_policy() })).await;
        answer.expect_error(400, "IAM.0007");
    }
    server
        .send_as_admin(Method::PUT, "policies/validate", json!({ "document": list_policy() }))
        .await
        .expect_error(404, "APIGW.0101");
}

#[tokio::test]
async fn policies_of_other_domains_are_not_found() {
    let server = Server::start().await;
    let foreign_admin = server.foreign_admin().await;
    server
        .send_as_admin(Method::PUT, "policies/list-instances", json!({ "document": list_policy() }))
        .await
        .expect_status(200);
    for method in [Method::GET, Method::DELETE] {
        server
            .send_as(&foreign_admin, method, "policies/list-instances", Value::Null)
            .await
            .expect_error(404, "IAM.0004");
    }
    server
        .send_as(&foreign_admin, Method::PUT, "policies/list-instances", json!({ "document": list_policy() }))
        .await
        .expect_status(200);
    assert_eq!(server.get_json("policies?limit=1").await["total_count"], 7);
}
