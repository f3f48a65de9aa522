//! Privilege escalation through the administration API.

use http::Method;
use serde_json::{Value, json};

use super::{call, done, text};
use crate::server::{Server, test_origin};

#[tokio::test]
async fn identity_manager_cannot_change_administrators() {
    let server = Server::start().await;
    let clerk = server.user_with_actions("clerk", &["clew:identity:*"]).await;
    let admin = &server.tenant.user_id;
    let spare = server.key_of(admin).await.key;
    for (method, path, body) in [
        (Method::POST, "users".to_owned(), json!({ "name": "mallory", "administrator": true })),
        (Method::PATCH, format!("users/{}", clerk.user), json!({ "administrator": true })),
        (Method::PATCH, format!("users/{admin}"), json!({ "password": "correct horse" })),
        (Method::PATCH, format!("users/{admin}"), json!({ "enabled": false })),
        (Method::PATCH, format!("users/{admin}"), json!({ "administrator": false })),
        (Method::PATCH, format!("users/{admin}"), json!({ "description": "gone" })),
        (Method::DELETE, format!("users/{admin}"), Value::Null),
        (Method::POST, format!("users/{admin}/keys"), Value::Null),
        (Method::PATCH, format!("users/{admin}/keys/{spare}"), json!({ "enabled": false })),
        (Method::DELETE, format!("users/{admin}/keys/{spare}"), Value::Null),
    ] {
        let message = server.send_as(&clerk, method, &path, body.clone()).await.expect_error(403, "IAM.0002");
        assert!(message.contains("Only an administrator"), "{path} {body}: {message}");
    }
    let users = server.store.identities().list_users(&server.tenant.domain_id).await.unwrap();
    assert_eq!(users.iter().filter(|user| user.administrator).count(), 1);
    assert_eq!(server.store.identities().list_access_keys(admin).await.unwrap().len(), 2);

    // Users without the administrator role can be changed.
    let created = server.send_as(&clerk, Method::POST, "users", json!({ "name": "grace" })).await.expect_status(201);
    let path = format!("users/{}", text(&created["id"]));
    server.send_as(&clerk, Method::PATCH, &path, json!({ "password": "correct horse" })).await.expect_status(200);
    server.send_as(&clerk, Method::POST, &format!("{path}/keys"), Value::Null).await.expect_status(201);
    server.send_as(&clerk, Method::GET, &format!("users/{admin}/keys"), Value::Null).await.expect_status(200);
    done(&server.send_as(&clerk, Method::DELETE, &path, Value::Null).await);
}

#[tokio::test]
async fn read_permission_permits_no_changes_and_no_permission_no_reads() {
    let server = Server::start().await;
    let reader = server.user_with_actions("reader", &["clew:identity:list"]).await;
    let unprivileged = server.key_of(&server.user_with_system("guest", "TaurusDBFullAccessPolicy").await).await;
    let group = text(&server.create("groups", json!({ "name": "developers" })).await["id"]);
    let role = json!({ "user_id": reader.user });
    let (user, project) = (server.user("grace").await, &server.tenant.project_id);
    for (method, path, body) in [
        (Method::POST, "users".to_owned(), json!({ "name": "mallory" })),
        (Method::PATCH, format!("users/{user}"), json!({ "password": "correct horse" })),
        (Method::DELETE, format!("users/{user}"), Value::Null),
        (Method::POST, format!("users/{user}/keys"), Value::Null),
        (Method::POST, "groups".to_owned(), json!({ "name": "x" })),
        (Method::PUT, format!("groups/{group}/members/{}", reader.user), Value::Null),
        (Method::PUT, "policies/x".to_owned(), json!({ "document": {} })),
        (Method::DELETE, "policies/reader-may".to_owned(), Value::Null),
        (Method::POST, "policies/TaurusDBFullAccessPolicy/attachments".to_owned(), role),
        (Method::POST, "projects".to_owned(), json!({ "name": "x" })),
        (Method::PATCH, format!("projects/{project}"), json!({ "masking": false })),
        (Method::POST, "enterprise-projects".to_owned(), json!({ "name": "x" })),
    ] {
        let message = server.send_as(&reader, method.clone(), &path, body.clone()).await.expect_error(403, "IAM.0003");
        assert!(message.contains("clew:identity:manage"), "{path}: {message}");
        server.send_as(&unprivileged, method, &path, body).await.expect_error(403, "IAM.0003");
    }
    for path in ["users", "groups", "projects", "policies", "enterprise-projects", "policies/guest-may"] {
        server.send_as(&unprivileged, Method::GET, path, Value::Null).await.expect_error(403, "IAM.0003");
    }
    for path in ["users", "groups", "projects", "policies", "enterprise-projects", "policies/reader-may"] {
        server.send_as(&reader, Method::GET, path, Value::Null).await.expect_status(200);
    }
    for path in ["audit", "audit/export", "audit/verify"] {
        server.send_as(&reader, Method::GET, path, Value::Null).await.expect_error(403, "IAM.0003");
    }
}

#[tokio::test]
async fn role_for_one_project_gives_no_access_to_identities() {
    let server = Server::start().await;
    let user = server.user("grace").await;
    let grace = server.key_of(&user).await;
    let group =
        server.store.identities().create_group(&test_origin(), &server.tenant.domain_id, "clerks", "").await.unwrap();
    server.store.identities().add_group_member(&test_origin(), &group, &user).await.unwrap();
    let document = json!({ "Version": "1.1", "Statement": [{ "Effect": "Allow", "Action": ["clew:identity:*"] }] });
    server.send_as_admin(Method::PUT, "policies/clerk", json!({ "document": document })).await.expect_status(200);
    let limited = json!({ "group_id": group, "project_id": server.tenant.project_id });
    done(&server.send_as_admin(Method::POST, "policies/clerk/attachments", limited).await);
    server.send_as(&grace, Method::GET, "users", Value::Null).await.expect_error(403, "IAM.0003");
    done(&server.send_as_admin(Method::POST, "policies/clerk/attachments", json!({ "group_id": group })).await);
    server.send_as(&grace, Method::GET, "users", Value::Null).await.expect_status(200);
    let token = server.project_token(&user).await;
    call(&server, Method::GET, "users", &Value::Null).token(&token).send().await.expect_error(403, "IAM.0002");
}
