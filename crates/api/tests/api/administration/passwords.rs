//! Change of the own password.

use clew_store::UserChange;
use http::Method;
use serde_json::json;

use super::{call, done};
use crate::server::{Server, test_origin};
use crate::test_users::Signer;

/// Creates a user with a password and an access key.
async fn user(server: &Server, password: &str) -> Signer {
    let user = server.user("grace").await;
    let hash = clew_iam::password::hash_password(&password.into()).unwrap();
    let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
    server.store.identities().update_user(&test_origin(), &user, &change).await.unwrap();
    server.key_of(&user).await
}

#[tokio::test]
async fn password_change_requires_the_old_password_and_revokes_tokens() {
    let server = Server::start().await;
    let grace = user(&server, "correct horse").await;
    let token = server.domain_token(&grace.user).await;
    let change = json!({ "old": "correct horse", "new": "battery staple" });
    done(&call(&server, Method::POST, "password", &change).token(&token).send().await);
    let again = call(&server, Method::POST, "password", &change).token(&token).send().await;
    again.expect_error(401, "APIGW.0307");
    server.send_as(&grace, Method::POST, "password", change).await.expect_error(403, "IAM.0002");
    let back = json!({ "old": "battery staple", "new": "correct horse" });
    done(&server.send_as(&grace, Method::POST, "password", back).await);
}

#[tokio::test]
async fn wrong_old_passwords_lock_the_user() {
    let mut server = Server::start().await;
    let grace = user(&server, "correct horse").await;
    let guess = |old: &str| json!({ "old": old, "new": "battery staple" });
    for _ in 0..5 {
        let answer = server.send_as(&grace, Method::POST, "password", guess("wrong")).await;
        assert!(answer.expect_error(403, "IAM.0002").contains("The current password is wrong"));
    }
    server.send_as(&grace, Method::POST, "password", guess("correct horse")).await.expect_error(401, "IAM.0061");
    // One row for each reason and one for the repeated attempts.
    assert_eq!(server.stop_and_count("ChangePassword").await, (3, 6), "every attempt is audited");
    let rows = server.audit_of("ChangePassword").await;
    assert!(!format!("{rows:?}").contains("horse"));
}

#[tokio::test]
async fn project_token_cannot_change_the_password() {
    let server = Server::start().await;
    let grace = user(&server, "correct horse").await;
    let token = server.project_token(&grace.user).await;
    let change = json!({ "old": "correct horse", "new": "battery staple" });
    call(&server, Method::POST, "password", &change).token(&token).send().await.expect_error(403, "IAM.0002");
}
