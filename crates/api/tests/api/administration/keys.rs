//! Access keys.

use clew_model::AccessKeyId;
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{call, done, text};
use crate::answer::Answer;
use crate::call::Call;
use crate::server::Server;

/// Sends a request that every user may send, signed with an access key.
async fn use_key(server: &Server, created: &Value) -> Answer {
    let key: AccessKeyId = text(&created["access_key"]).parse().unwrap();
    let call = server.call(Method::GET, "/v3/auth/domains");
    call.signed(&key, &text(&created["secret_key"]).into(), SignedDuration::ZERO).send().await
}

#[tokio::test]
async fn key_is_created_used_disabled_and_deleted() {
    let server = Server::start().await;
    let user = server.user("grace").await;
    let path = format!("users/{user}/keys");
    let created = server.create(&path, Value::Null).await;
    use_key(&server, &created).await.expect_status(200);
    let key = text(&created["access_key"]);
    let list = server.get_json(&path).await;
    assert_eq!((&list["total_count"], &list["keys"][0]["access_key"]), (&json!(1), &created["access_key"]));
    assert!(!list.to_string().contains(&text(&created["secret_key"])));
    assert!(text(&list["keys"][0]["created_at"]).ends_with('Z'));
    assert!(list["keys"][0]["last_used_at"].is_string(), "{list}");

    let one = format!("{path}/{key}");
    let off = server.send_as_admin(Method::PATCH, &one, json!({ "enabled": false })).await.expect_status(200);
    assert_eq!(off["enabled"], false);
    use_key(&server, &created).await.expect_error(401, "APIGW.0301");
    server.send_as_admin(Method::PATCH, &one, json!({ "enabled": true })).await.expect_status(200);
    use_key(&server, &created).await.expect_status(200);
    done(&server.send_as_admin(Method::DELETE, &one, Value::Null).await);
    use_key(&server, &created).await.expect_error(401, "APIGW.0301");
    server.send_as_admin(Method::DELETE, &one, Value::Null).await.expect_error(404, "IAM.0004");
}

#[tokio::test]
async fn third_key_of_a_user_is_rejected() {
    let server = Server::start().await;
    let path = format!("users/{}/keys", server.user("grace").await);
    for _ in 0..2 {
        server.create(&path, Value::Null).await;
    }
    let message = server.send_as_admin(Method::POST, &path, Value::Null).await.expect_error(409, "IAM.0005");
    assert!(message.contains("the limit is 2 per user"), "{message}");
}

#[tokio::test]
async fn users_manage_their_own_keys_only() {
    let server = Server::start().await;
    let (grace, other) = (server.key_of(&server.user("grace").await).await, server.user("other").await);
    let key = server.key_of(&other).await.key;
    let own = format!("users/{}/keys", grace.user);
    let created = server.send_as(&grace, Method::POST, &own, Value::Null).await.expect_status(201);
    let one = format!("{own}/{}", text(&created["access_key"]));
    assert_eq!(server.send_as(&grace, Method::GET, &own, Value::Null).await.expect_status(200)["total_count"], 2);
    server.send_as(&grace, Method::PATCH, &one, json!({ "enabled": false })).await.expect_status(200);
    done(&server.send_as(&grace, Method::DELETE, &one, Value::Null).await);

    let theirs = format!("users/{other}/keys");
    let of_theirs = format!("{theirs}/{key}");
    for (method, path, body) in [
        (Method::GET, &theirs, Value::Null),
        (Method::POST, &theirs, Value::Null),
        (Method::PATCH, &of_theirs, json!({ "enabled": false })),
        (Method::DELETE, &of_theirs, Value::Null),
    ] {
        server.send_as(&grace, method, path, body).await.expect_error(403, "IAM.0003");
    }
    // The key of another user is not found below the own user.
    let mixed = format!("{own}/{key}");
    server.send_as(&grace, Method::DELETE, &mixed, Value::Null).await.expect_error(404, "IAM.0004");
    assert_eq!(server.store.identities().list_access_keys(&other).await.unwrap().len(), 1);
}

#[tokio::test]
async fn temporary_credentials_cannot_create_permanent_keys() {
    let server = Server::start().await;
    let user = server.user("grace").await;
    let path = format!("users/{user}/keys");
    let token = server.project_token(&user).await;
    call(&server, Method::POST, &path, &Value::Null).token(&token).send().await.expect_error(403, "IAM.0002");
    let domain = server.domain_token(&user).await;
    call(&server, Method::POST, &path, &Value::Null).token(&domain).send().await.expect_error(403, "IAM.0002");
    // Sessions of the web page are exempt.
    let console = server.console_token(&user, None).await;
    let created = call(&server, Method::POST, &path, &Value::Null).token(&console).send().await.expect_status(201);

    let temporary = server.call(Method::POST, "/v3.0/OS-CREDENTIAL/securitytokens").token(&domain);
    let body = json!({ "auth": { "identity": { "methods": ["token"] } } }).to_string();
    let temporary = temporary.body(body).send().await.expect_status(201)["credential"].clone();
    let sign = |call: Call| {
        let key: AccessKeyId = text(&temporary["access"]).parse().unwrap();
        let call = call.header("x-security-token", &text(&temporary["securitytoken"]));
        call.signed(&key, &text(&temporary["secret"]).into(), SignedDuration::ZERO)
    };
    sign(call(&server, Method::GET, &path, &Value::Null)).send().await.expect_status(200);
    sign(call(&server, Method::POST, &path, &Value::Null)).send().await.expect_error(403, "IAM.0002");
    use_key(&server, &created).await.expect_status(200);
}
