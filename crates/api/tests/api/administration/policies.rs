//! Policies.

use http::Method;
use serde_json::{Value, json};

use super::{call, done, names, text};
use crate::server::Server;

fn look() -> Value {
    json!({ "Version": "5.0", "Statement": [{ "Effect": "Allow", "Action": ["gaussdbformysql:instance:list"] }] })
}

#[tokio::test]
async fn policy_is_created_shown_replaced_and_deleted() {
    let server = Server::start().await;
    let put = server
        .send_as_admin(Method::PUT, "policies/look", json!({ "document": look(), "description": "Looks" }))
        .await
        .ok(200);
    assert_eq!((&put["name"], &put["model"], &put["system"]), (&json!("look"), &json!("identity"), &json!(false)));
    assert_eq!((&put["description"], &put["document"], &put["warnings"]), (&json!("Looks"), &look(), &json!([])));
    assert_eq!(server.get_json("policies/look").await, put);

    let role = r#"{"Version":"1.1","Statement":[{"Effect":"Allow","Action":["gaussdb:instance:list"]}]}"#;
    let replaced = server.send_as_admin(Method::PUT, "policies/look", json!({ "document": role })).await.ok(200);
    assert_eq!((&replaced["model"], &replaced["description"]), (&json!("role"), &json!("")));
    let list = server.get_json("policies?limit=2").await;
    assert_eq!((names(&list["policies"]), &list["total_count"]), (vec!["look", "TaurusDB FullAccess"], &json!(7)));

    done(&server.send_as_admin(Method::DELETE, "policies/look", Value::Null).await);
    server.send_as_admin(Method::DELETE, "policies/look", Value::Null).await.refused(404, "IAM.0004");
    assert_eq!(server.audit_of("PutPolicy").await.len(), 2);
}

#[tokio::test]
async fn document_text_is_stored_verbatim() {
    let server = Server::start().await;
    let written = "{\n  \"Statement\" : [ { \"Effect\":\"Allow\", \"Action\":[\"gaussdbformysql:instance:list\"] } ],\n  \"Version\": \"5.0\"\n}";
    let body = format!("{{\"document\": {written}}}");
    server.sign(call(&server, Method::PUT, "policies/look", &Value::Null).body(body)).send().await.ok(200);
    let kept = server.store.policy_by_name(&server.tenant.domain_id, "look").await.unwrap().unwrap();
    assert_eq!(kept.document, written);
}

#[tokio::test]
async fn every_document_error_has_a_position() {
    let server = Server::start().await;
    let written = "{\n  \"Version\": \"5.0\",\n  \"Statement\": [\n    {\"Effect\": \"Permit\", \"Action\": [7]},\n    {\"Effect\": \"Deny\"}\n  ]\n}";
    let as_object = format!("{{\"document\":{written}}}");
    let as_text = json!({ "document": written }).to_string();
    for body in [as_object, as_text] {
        let answer =
            server.sign(call(&server, Method::PUT, "policies/look", &Value::Null).body(body.clone())).send().await;
        let message = answer.refused(400, "IAM.0011");
        let errors = answer.json()["errors"].as_array().unwrap().clone();
        let places: Vec<_> = errors.iter().map(|one| (one["line"].clone(), text(&one["path"]))).collect();
        for expected in [(4, "$.Statement[0].Effect"), (4, "$.Statement[0].Action[0]")] {
            assert!(places.contains(&(json!(expected.0), expected.1.to_owned())), "{places:?}");
        }
        assert!(places.iter().any(|(line, _)| *line == 5), "{places:?}");
        assert!(message.contains(&errors.len().to_string()), "{message}");
        let looked =
            server.sign(call(&server, Method::POST, "policies/validate", &Value::Null).body(body)).send().await;
        let looked = looked.ok(200);
        assert_eq!((&looked["valid"], &looked["model"]), (&json!(false), &Value::Null));
        assert_eq!(looked["errors"], Value::Array(errors));
    }
    assert!(server.store.policies_of(&server.tenant.domain_id).await.unwrap().is_empty());
}

#[tokio::test]
async fn valid_but_suspicious_document_is_stored_with_a_warning() {
    let server = Server::start().await;
    let odd =
        json!({ "Version": "5.0", "Statement": [{ "Effect": "Allow", "Action": ["gaussdbformysql:instance:lst"] }] });
    let looked = server.send_as_admin(Method::POST, "policies/validate", json!({ "document": odd })).await.ok(200);
    assert_eq!((&looked["valid"], &looked["model"], &looked["errors"]), (&json!(true), &json!("identity"), &json!([])));
    assert_eq!(looked["warnings"].as_array().unwrap().len(), 1, "{looked}");
    let put = server.send_as_admin(Method::PUT, "policies/odd", json!({ "document": odd })).await.ok(200);
    assert_eq!(put["warnings"], looked["warnings"]);
}

#[tokio::test]
async fn system_policies_are_immutable() {
    let server = Server::start().await;
    let path = "policies/TaurusDB%20ReadOnlyAccess";
    let shown = server.get_json(path).await;
    assert_eq!((&shown["system"], &shown["model"], &shown["updated_at"]), (&json!(true), &json!("role"), &Value::Null));
    assert_eq!(shown["document"]["Version"], "1.1");
    server.send_as_admin(Method::PUT, path, json!({ "document": look() })).await.refused(409, "IAM.0005");
    server.send_as_admin(Method::DELETE, path, Value::Null).await.refused(409, "IAM.0005");
}

#[tokio::test]
async fn invalid_policy_names_are_rejected() {
    let server = Server::start().await;
    for name in ["a_+=.@-Z9", &*"x".repeat(128)] {
        server.send_as_admin(Method::PUT, &format!("policies/{name}"), json!({ "document": look() })).await.ok(200);
    }
    for name in ["a%20b", "%C3%A9", "a%00", "a%2Fb", &*"x".repeat(129)] {
        let answer =
            server.send_as_admin(Method::PUT, &format!("policies/{name}"), json!({ "document": look() })).await;
        answer.refused(400, "IAM.0007");
    }
    server
        .send_as_admin(Method::PUT, "policies/validate", json!({ "document": look() }))
        .await
        .refused(404, "APIGW.0101");
}

#[tokio::test]
async fn policies_of_other_domains_are_not_found() {
    let server = Server::start().await;
    let stranger = server.foreign_admin().await;
    server.send_as_admin(Method::PUT, "policies/look", json!({ "document": look() })).await.ok(200);
    for method in [Method::GET, Method::DELETE] {
        server.send_as(&stranger, method, "policies/look", Value::Null).await.refused(404, "IAM.0004");
    }
    server.send_as(&stranger, Method::PUT, "policies/look", json!({ "document": look() })).await.ok(200);
    assert_eq!(server.get_json("policies?limit=1").await["total_count"], 7);
}
