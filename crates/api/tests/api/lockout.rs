//! Five failures in a row lock a key or a user for five minutes, whoever asks then.

use std::time::Duration;

use http::Method;
use jiff::SignedDuration;
use serde_json::json;

use crate::answer::Answer;
use crate::server::{DOMAIN, Server, by};
use crate::tenants::Signer;

const PASSWORD: &str = "correct horse";

async fn server() -> Server {
    let server = Server::start().await;
    let user = server.user("grace").await;
    let hash = clew_iam::password::hash(&PASSWORD.into()).unwrap();
    let change = clew_store::UserChange { password_hash: Some(hash), ..Default::default() };
    assert!(server.store.update_user(&by(), &user, &change).await.unwrap());
    server
}

async fn sign_in(server: &Server, user: &str, password: &str) -> Answer {
    let user = json!({ "name": user, "password": password, "domain": { "name": DOMAIN } });
    let body = json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": user } } } });
    server.call(Method::POST, "/v3/auth/tokens").anonymous().body(body.to_string()).send().await
}

#[tokio::test]
async fn five_wrong_passwords_lock_the_user_and_a_right_one_does_not_open_it() {
    let server = server().await;
    for _ in 0..4 {
        sign_in(&server, "grace", "wrong").await.refused(401, "IAM.0001");
    }
    sign_in(&server, "grace", PASSWORD).await.ok(201);
    for _ in 0..5 {
        sign_in(&server, "grace", "wrong").await.refused(401, "IAM.0001");
    }
    for password in [PASSWORD, "wrong", PASSWORD] {
        let message = sign_in(&server, "grace", password).await.refused(401, "IAM.0061");
        assert_eq!(message, "The user is locked. Too many wrong passwords in a row; try again in 5 minutes.");
    }
    let token = server.domain_token(&server.store.user_by_name(DOMAIN, "grace").await.unwrap().unwrap().id).await;
    server.call(Method::GET, "/v3/projects").token(&token).send().await.ok(200);
}

#[tokio::test]
async fn a_name_that_nobody_has_is_locked_as_any_other() {
    let server = server().await;
    for (name, expected) in [("grace", "IAM.0001"), ("nobody", "IAM.0001")] {
        for _ in 0..5 {
            sign_in(&server, name, "wrong").await.refused(401, expected);
        }
    }
    let (there, not_there) = (sign_in(&server, "grace", "x").await, sign_in(&server, "nobody", "x").await);
    there.refused(401, "IAM.0061");
    assert_eq!((there.status, there.body), (not_there.status, not_there.body));
}

#[tokio::test]
async fn many_guesses_at_once_are_no_more_than_many_in_a_row() {
    let server = server().await;
    let guesses = (0..30).map(|_| sign_in(&server, "grace", "wrong"));
    let answers = futures_util::future::join_all(guesses).await;
    let tried = answers.iter().filter(|answer| answer.code() == "IAM.0001").count();
    assert_eq!(tried, 5);
    sign_in(&server, "grace", PASSWORD).await.refused(401, "IAM.0061");
}

#[tokio::test]
async fn five_wrong_signatures_lock_the_key_and_no_other() {
    let server = server().await;
    let signer = server.key_of(&server.user("alan").await).await;
    let wrong = Signer { user: signer.user.clone(), key: signer.key.clone(), secret: "another secret".into() };
    let list = async |signer: &Signer| signer.sign(server.call(Method::GET, "/v3/projects")).send().await;
    for _ in 0..4 {
        list(&wrong).await.refused(401, "APIGW.0301");
    }
    list(&signer).await.ok(200);
    for _ in 0..5 {
        let message = list(&wrong).await.refused(401, "APIGW.0301");
        assert!(message.contains("the signature does not fit"), "{message}");
    }
    for signer in [&signer, &wrong] {
        let message = list(signer).await.refused(401, "APIGW.0301");
        assert!(message.ends_with(": AK access failed to reach the limit,forbidden"), "{message}");
    }
    server.sign(server.call(Method::GET, "/v3/projects")).send().await.ok(200);
    let token = server.domain_token(&signer.user).await;
    server.call(Method::GET, "/v3/projects").token(&token).send().await.ok(200);
}

#[tokio::test]
async fn a_slip_that_is_no_guess_does_not_count() {
    let server = server().await;
    let late = || {
        let call = server.call(Method::GET, "/v3/projects");
        call.signed(&server.access_key, &server.secret_key, SignedDuration::from_hours(1))
    };
    for _ in 0..6 {
        late().send().await.refused(401, "APIGW.0301");
    }
    server.sign(server.call(Method::GET, "/v3/projects")).send().await.ok(200);
}

#[tokio::test]
async fn a_lock_ends_by_itself() {
    let server = server().await;
    for _ in 0..5 {
        sign_in(&server, "grace", "wrong").await.refused(401, "IAM.0001");
    }
    sign_in(&server, "grace", PASSWORD).await.refused(401, "IAM.0061");
    server.clock_forward(Duration::from_secs(301));
    sign_in(&server, "grace", PASSWORD).await.ok(201);
}
