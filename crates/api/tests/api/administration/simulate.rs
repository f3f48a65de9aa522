//! Policy simulation.

use http::Method;
use serde_json::{Value, json};

use super::text;
use crate::server::Server;
use crate::test_users::Signer;

const LIST: &str = "gaussdbformysql:instance:get";

async fn simulate(server: &Server, body: Value) -> Value {
    server.send_as_admin(Method::POST, "policies/simulate", body).await.expect_status(200)
}

/// Returns true if the real request succeeds.
async fn may_show(server: &Server, signer: &Signer) -> bool {
    let path = format!("/v3/{}/instances/{}", server.tenant.project_id, server.instance.id);
    signer.sign(server.call(Method::GET, &path)).send().await.status.is_success()
}

#[tokio::test]
async fn simulation_matches_real_decisions_and_lists_reasons() {
    let server = Server::start().await;
    let statements = |team: &str| {
        json!([
            { "Sid": "own", "Effect": "Allow", "Action": ["gaussdbformysql:*:*"],
              "Condition": { "StringEquals": { "g:ResourceTag/team": [team] } } },
            { "Sid": "office", "Effect": "Deny", "Action": ["*"],
              "Condition": { "StringEquals": { "g:ResourceTag/locked": ["yes"] } } }
        ])
    };
    let grace = server.key_of(&server.user_with("grace", statements("shop")).await).await;
    let alan = server.key_of(&server.user_with("alan", statements("bank")).await).await;
    let about = |signer: &Signer| {
        json!({
            "user_id": signer.user, "action": LIST,
            "project_id": server.tenant.project_id, "instance_id": server.instance.id
        })
    };
    let allowed = simulate(&server, about(&grace)).await;
    assert_eq!((&allowed["decision"], &allowed["reason"]), (&json!("allow"), &Value::Null));
    assert_eq!((&allowed["deciding"]["policy"], &allowed["deciding"]["statement"]), (&json!("grace-may"), &json!(1)));
    assert_eq!((&allowed["deciding"]["sid"], &allowed["deciding"]["group"]), (&json!("own"), &Value::Null));
    let statements = allowed["statements"].as_array().unwrap();
    assert_eq!((&statements[1]["effect"], &statements[1]["matched"]), (&json!("Deny"), &json!(false)));
    assert!(text(&statements[1]["reasons"][0]).contains("locked"), "{allowed}");
    assert!(may_show(&server, &grace).await);

    let denied = simulate(&server, about(&alan)).await;
    assert_eq!((&denied["decision"], &denied["deciding"]), (&json!("deny"), &Value::Null));
    assert!(text(&denied["reason"]).contains("no policy allows the action"));
    assert!(!may_show(&server, &alan).await);

    server.tag("locked", "yes").await;
    let denied = simulate(&server, about(&grace)).await;
    assert_eq!((&denied["decision"], &denied["deciding"]["sid"]), (&json!("deny"), &json!("office")));
    assert!(!may_show(&server, &grace).await);

    let admin = json!({ "user_id": server.tenant.user_id, "action": "CLEW:audit:LIST" });
    let admin = simulate(&server, admin).await;
    assert_eq!((&admin["decision"], &admin["administrator"]), (&json!("allow"), &json!(true)));
}

#[tokio::test]
async fn simulation_uses_the_given_environment() {
    let server = Server::start().await;
    let when = json!([{
        "Effect": "Allow", "Action": ["gaussdbformysql:*:*"],
        "Condition": { "DateLessThan": { "g:CurrentTime": ["2026-01-01T00:00:00Z"] } }
    }]);
    let user = server.user_with("grace", when).await;
    let at = async |time: &str| {
        let body = json!({
            "user_id": user, "action": LIST, "project_id": server.tenant.project_id,
            "instance_id": server.instance.id, "time": time, "source_ip": "2001:db8::1", "secure_transport": false,
            "request_tags": [{ "key": "a" }]
        });
        text(&simulate(&server, body).await["decision"])
    };
    assert_eq!(at("2025-12-31T23:59:59Z").await, "allow");
    assert_eq!(at("2026-01-01T00:00:00Z").await, "deny");
}

#[tokio::test]
async fn simulation_of_missing_objects_is_rejected() {
    let server = Server::start().await;
    let foreign_admin = server.foreign_admin().await;
    let (user, project) = (&server.tenant.user_id, &server.tenant.project_id);
    let foreign =
        server.send_as(&foreign_admin, Method::POST, "projects", json!({ "name": "theirs" })).await.expect_status(201);
    for body in [
        json!({ "user_id": foreign_admin.user, "action": LIST }),
        json!({ "user_id": user, "action": LIST, "project_id": foreign["id"] }),
        json!({ "user_id": user, "action": LIST, "project_id": project, "instance_id": "x" }),
        json!({ "user_id": user, "action": LIST, "project_id": foreign["id"], "instance_id": server.instance.id }),
    ] {
        server.send_as_admin(Method::POST, "policies/simulate", body).await.expect_error(404, "IAM.0004");
    }
    for body in [
        json!({ "user_id": user, "action": LIST, "instance_id": server.instance.id }),
        json!({ "user_id": user, "action": LIST, "source_ip": "here" }),
        json!({ "user_id": user, "action": LIST, "time": "now" }),
        json!({ "user_id": user, "action": LIST, "request_tags": [{ "kee": "a" }] }),
        json!({ "user_id": user, "action": LIST, "request_tags": vec![json!({ "key": "a" }); 21] }),
    ] {
        server.send_as_admin(Method::POST, "policies/simulate", body).await.expect_error(400, "IAM.0007");
    }
}
