//! One's own password.

use clew_store::UserChange;
use http::Method;
use serde_json::json;

use super::{call, done};
use crate::server::{Server, by};
use crate::tenants::Signer;

/// A user with a password, and a key.
async fn user(server: &Server, password: &str) -> Signer {
    let user = server.user("grace").await;
    let hash = clew_iam::password::hash(&password.into()).unwrap();
    let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
    server.store.update_user(&by(), &user, &change).await.unwrap();
    server.key_of(&user).await
}

#[tokio::test]
async fn who_knows_the_old_password_sets_a_new_one_and_old_tokens_end() {
    let server = Server::start().await;
    let grace = user(&server, "correct horse").await;
    let token = server.domain_token(&grace.user).await;
    let change = json!({ "old": "correct horse", "new": "battery staple" });
    done(&call(&server, Method::POST, "password", &change).token(&token).send().await);
    let again = call(&server, Method::POST, "password", &change).token(&token).send().await;
    again.refused(401, "APIGW.0307");
    server.ask_as(&grace, Method::POST, "password", change).await.refused(403, "IAM.0002");
    let back = json!({ "old": "battery staple", "new": "correct horse" });
    done(&server.ask_as(&grace, Method::POST, "password", back).await);
}

#[tokio::test]
async fn the_old_password_cannot_be_found_out_by_trying() {
    let mut server = Server::start().await;
    let grace = user(&server, "correct horse").await;
    let guess = |old: &str| json!({ "old": old, "new": "battery staple" });
    for _ in 0..5 {
        let answer = server.ask_as(&grace, Method::POST, "password", guess("wrong")).await;
        assert!(answer.refused(403, "IAM.0002").contains("The old password is wrong"));
    }
    server.ask_as(&grace, Method::POST, "password", guess("correct horse")).await.refused(401, "IAM.0061");
    // A row for each reason, and one for the repeated tries.
    assert_eq!(server.stop_and_count("ChangePassword").await, (3, 6), "each try is in the audit");
    let rows = server.audit_of("ChangePassword").await;
    assert!(!format!("{rows:?}").contains("horse"));
}

#[tokio::test]
async fn a_token_of_a_project_changes_no_password() {
    let server = Server::start().await;
    let grace = user(&server, "correct horse").await;
    let token = server.project_token(&grace.user).await;
    let change = json!({ "old": "correct horse", "new": "battery staple" });
    call(&server, Method::POST, "password", &change).token(&token).send().await.refused(403, "IAM.0002");
}
