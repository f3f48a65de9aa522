//! Users.

use http::Method;
use serde_json::{Value, json};

use super::{done, names, text};
use crate::server::{DOMAIN, Server, USER};

/// Requests a token with a password. Returns the status.
async fn sign_in(server: &Server, name: &str, password: &str) -> u16 {
    let user = json!({ "name": name, "password": password, "domain": { "name": DOMAIN } });
    let body = json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": user } } } });
    server.call(Method::POST, "/v3/auth/tokens").anonymous().body(body.to_string()).send().await.status.as_u16()
}

#[tokio::test]
async fn user_is_created_shown_changed_and_deleted() {
    let server = Server::start().await;
    let created = server.create("users", json!({ "name": "grace", "description": "Rear admiral" })).await;
    let (id, password) = (text(&created["id"]), text(&created["password"]));
    assert_eq!(password.len(), 24);
    assert_eq!(sign_in(&server, "grace", &password).await, 201);

    let path = format!("users/{id}");
    let mut expected = created.clone();
    expected.as_object_mut().unwrap().remove("password");
    assert_eq!(server.get_json(&path).await, expected, "the password is shown once");
    assert_eq!(expected["administrator"], false);
    let list = server.get_json("users").await;
    assert_eq!((names(&list["users"]), &list["total_count"]), (vec![USER, "grace"], &json!(2)));

    let off = server
        .send_as_admin(Method::PATCH, &path, json!({ "enabled": false, "description": "" }))
        .await
        .expect_status(200);
    assert_eq!((&off["enabled"], &off["description"]), (&json!(false), &json!("")));
    assert_ne!(sign_in(&server, "grace", &password).await, 201);
    server
        .send_as_admin(Method::PATCH, &path, json!({ "enabled": true, "password": "COBOL was first" }))
        .await
        .expect_status(200);
    assert_eq!(sign_in(&server, "grace", "COBOL was first").await, 201);
    assert_ne!(sign_in(&server, "grace", &password).await, 201);

    done(&server.send_as_admin(Method::DELETE, &path, Value::Null).await);
    for method in [Method::GET, Method::DELETE] {
        server.send_as_admin(method, &path, Value::Null).await.expect_error(404, "IAM.0004");
    }
    assert_ne!(sign_in(&server, "grace", "COBOL was first").await, 201);
}

#[tokio::test]
async fn chosen_password_is_not_returned() {
    let server = Server::start().await;
    let created =
        server.create("users", json!({ "name": "grace", "password": "correct horse", "administrator": true })).await;
    assert_eq!((created.get("password"), &created["administrator"]), (None, &json!(true)));
    assert_eq!(sign_in(&server, "grace", "correct horse").await, 201);
    let taken =
        server.send_as_admin(Method::POST, "users", json!({ "name": "grace" })).await.expect_error(409, "IAM.0005");
    assert!(taken.contains("grace"), "{taken}");
}

#[tokio::test]
async fn last_administrator_cannot_be_removed() {
    let server = Server::start().await;
    let path = format!("users/{}", server.tenant.user_id);
    for change in [json!({ "enabled": false }), json!({ "administrator": false })] {
        server.send_as_admin(Method::PATCH, &path, change).await.expect_error(409, "IAM.0005");
    }
    let message = server.send_as_admin(Method::DELETE, &path, Value::Null).await.expect_error(409, "IAM.0005");
    assert!(message.contains(USER), "{message}");
    server.create("users", json!({ "name": "grace", "administrator": true })).await;
    let left = server.send_as_admin(Method::PATCH, &path, json!({ "administrator": false })).await.expect_status(200);
    assert_eq!(left["administrator"], false);
    server.send_as_admin(Method::GET, "users", Value::Null).await.expect_error(403, "IAM.0003");
}

#[tokio::test]
async fn audit_of_a_new_user_omits_the_password() {
    let server = Server::start().await;
    let body = json!({ "name": "grace", "password": "correct horse" });
    let answer = server.send_as_admin(Method::POST, "users", body).await;
    answer.expect_status(201);
    let rows = server.audit_of("CreateUser").await;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].event.target.as_str(), rows[0].event.origin.actor.name()), ("grace", USER));
    assert_eq!(rows[0].event.origin.request_id, answer.header("x-request-id"));
    assert_eq!(rows[0].event.origin.peer, Some("127.0.0.1".parse().unwrap()));
    assert!(!format!("{rows:?}").contains("correct horse"));
}
