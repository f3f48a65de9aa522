//! Five consecutive failures lock a key or a user for five minutes.

use std::time::Duration;

use clew_api::ApiSettings;
use clew_http::TrustedProxies;
use clew_store::AuthAttemptReservation;
use clew_testkit::PostgreSqlServer;
use clew_worker::WorkerSettings;
use http::Method;
use jiff::SignedDuration;
use serde_json::json;

use crate::answer::Answer;
use crate::call::Call;
use crate::server::{DOMAIN, Server, test_origin};
use crate::test_users::Signer;

const PASSWORD: &str = "correct horse";

async fn start_server() -> Server {
    let server = Server::start().await;
    add_user_with_password(&server).await;
    server
}

async fn add_user_with_password(server: &Server) {
    let user = server.user("grace").await;
    let hash = clew_iam::password::hash_password(&PASSWORD.into()).unwrap();
    let change = clew_store::UserChange { password_hash: Some(hash), ..Default::default() };
    assert!(server.store.identities().update_user(&test_origin(), &user, &change).await.unwrap());
}

async fn sign_in(server: &Server, user: &str, password: &str) -> Answer {
    sign_in_call(server, user, password).send().await
}

fn sign_in_call(server: &Server, user: &str, password: &str) -> Call {
    let user = json!({ "name": user, "password": password, "domain": { "name": DOMAIN } });
    let body = json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": user } } } });
    server.call(Method::POST, "/v3/auth/tokens").anonymous().body(body.to_string())
}

#[tokio::test]
async fn five_wrong_passwords_lock_the_user() {
    let server = start_server().await;
    for _ in 0..4 {
        sign_in(&server, "grace", "wrong").await.expect_error(401, "IAM.0001");
    }
    sign_in(&server, "grace", PASSWORD).await.expect_status(201);
    for _ in 0..5 {
        sign_in(&server, "grace", "wrong").await.expect_error(401, "IAM.0001");
    }
    for password in [PASSWORD, "wrong", PASSWORD] {
        let message = sign_in(&server, "grace", password).await.expect_error(401, "IAM.0061");
        assert_eq!(message, "The user is locked. Too many failed sign-in attempts. Fix: retry after 5 minutes.");
    }
    let token = server
        .domain_token(&server.store.identities().find_user_by_name(DOMAIN, "grace").await.unwrap().unwrap().id)
        .await;
    server.call(Method::GET, "/v3/projects").token(&token).send().await.expect_status(200);
}

/// Other server processes have reserved all remaining attempts and do not finish.
#[tokio::test]
async fn sign_in_during_concurrent_attempts_is_refused_without_a_lockout_message() {
    let server = start_server().await;
    for _ in 0..5 {
        let reservation = server.store.lockouts().reserve_auth_attempt(&format!("user:{DOMAIN}/grace")).await.unwrap();
        assert_eq!(reservation, AuthAttemptReservation::Granted);
    }
    let answer = sign_in(&server, "grace", PASSWORD).await;
    answer.expect_error(429, "APIGW.0308");
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn unknown_user_name_is_locked_like_an_existing_one() {
    let server = start_server().await;
    for (name, expected) in [("grace", "IAM.0001"), ("missing", "IAM.0001")] {
        for _ in 0..5 {
            sign_in(&server, name, "wrong").await.expect_error(401, expected);
        }
    }
    let (existing, missing) = (sign_in(&server, "grace", "x").await, sign_in(&server, "missing", "x").await);
    existing.expect_error(401, "IAM.0061");
    assert_eq!((existing.status, existing.body), (missing.status, missing.body));
}

#[tokio::test]
async fn concurrent_guesses_are_limited_like_sequential_ones() {
    let server = start_server().await;
    let guesses = (0..30).map(|_| sign_in(&server, "grace", "wrong"));
    let answers = futures_util::future::join_all(guesses).await;
    let tried = answers.iter().filter(|answer| answer.code() == "IAM.0001").count();
    assert_eq!(tried, 5);
    sign_in(&server, "grace", PASSWORD).await.expect_error(401, "IAM.0061");
}

#[tokio::test]
async fn five_wrong_signatures_lock_only_that_key() {
    let server = start_server().await;
    let signer = server.key_of(&server.user("alan").await).await;
    let wrong = Signer { user: signer.user.clone(), key: signer.key.clone(), secret: "another secret".into() };
    let list = async |signer: &Signer| signer.sign(server.call(Method::GET, "/v3/projects")).send().await;
    for _ in 0..4 {
        list(&wrong).await.expect_error(401, "APIGW.0301");
    }
    list(&signer).await.expect_status(200);
    for _ in 0..5 {
        let message = list(&wrong).await.expect_error(401, "APIGW.0301");
        assert!(message.contains("the signature does not match the request"), "{message}");
    }
    for signer in [&signer, &wrong] {
        let message = list(signer).await.expect_error(401, "APIGW.0301");
        assert!(message.ends_with(": AK access failed to reach the limit,forbidden"), "{message}");
    }
    server.sign(server.call(Method::GET, "/v3/projects")).send().await.expect_status(200);
    let token = server.domain_token(&signer.user).await;
    server.call(Method::GET, "/v3/projects").token(&token).send().await.expect_status(200);
}

/// Signs in from an address that a trusted proxy reports.
async fn sign_in_from(server: &Server, address: &str, name: &str, password: &str) -> Answer {
    sign_in_call(server, name, password).header("x-forwarded-for", address).send().await
}

fn trust_local_proxy(settings: &mut ApiSettings, _: &mut WorkerSettings) {
    settings.connections.trusted_proxies = TrustedProxies::parse(&["127.0.0.1".into()]).unwrap();
}

async fn guesses_from_unknown_addresses_do_not_lock_known_addresses(server: Server) {
    add_user_with_password(&server).await;
    let (office, v6, elsewhere) = ("192.0.2.1", "2001:db8::1", "198.51.100.9");
    for address in [office, v6] {
        sign_in_from(&server, address, "grace", PASSWORD).await.expect_status(201);
    }
    // All unknown addresses share five attempts.
    for guess in 0..8 {
        let answer = sign_in_from(&server, &format!("203.0.113.{guess}"), "grace", "wrong").await;
        answer.expect_error(401, if guess < 5 { "IAM.0001" } else { "IAM.0061" });
    }
    sign_in_from(&server, elsewhere, "grace", PASSWORD).await.expect_error(401, "IAM.0061");
    // Known addresses are not locked. All addresses of a /64 count as one.
    for address in [office, v6, "2001:db8::ffff"] {
        sign_in_from(&server, address, "grace", PASSWORD).await.expect_status(201);
    }
    sign_in_from(&server, elsewhere, "grace", PASSWORD).await.expect_error(401, "IAM.0061");
    // A known address has its own limit.
    for guess in 0..6 {
        let answer = sign_in_from(&server, office, "grace", "wrong").await;
        answer.expect_error(401, if guess < 5 { "IAM.0001" } else { "IAM.0061" });
    }
    sign_in_from(&server, v6, "grace", PASSWORD).await.expect_status(201);
}

#[tokio::test]
async fn guesses_from_unknown_addresses_do_not_lock_known_addresses_on_sqlite() {
    guesses_from_unknown_addresses_do_not_lock_known_addresses(Server::start_with(trust_local_proxy).await).await;
}

#[tokio::test]
async fn guesses_from_unknown_addresses_do_not_lock_known_addresses_on_postgresql() {
    let database = PostgreSqlServer::start().await.unwrap();
    let server = Server::start_on_postgresql(&database, trust_local_proxy).await;
    guesses_from_unknown_addresses_do_not_lock_known_addresses(server).await;
}

#[tokio::test]
async fn wrong_signatures_from_unknown_addresses_do_not_lock_the_key_at_known_addresses() {
    let server = Server::start_with(trust_local_proxy).await;
    let signer = server.key_of(&server.user("alan").await).await;
    let wrong = Signer { user: signer.user.clone(), key: signer.key.clone(), secret: "another secret".into() };
    let list = async |signer: &Signer, address: &str| {
        let call = server.call(Method::GET, "/v3/projects").header("x-forwarded-for", address);
        signer.sign(call).send().await
    };
    list(&signer, "192.0.2.1").await.expect_status(200);
    for guess in 0..5 {
        list(&wrong, &format!("203.0.113.{guess}")).await.expect_error(401, "APIGW.0301");
    }
    let message = list(&signer, "198.51.100.9").await.expect_error(401, "APIGW.0301");
    assert!(message.ends_with("AK access failed to reach the limit,forbidden"), "{message}");
    list(&signer, "192.0.2.1").await.expect_status(200);
}

#[tokio::test]
async fn signed_request_makes_a_new_address_known() {
    let server = Server::start_with(trust_local_proxy).await;
    add_user_with_password(&server).await;
    let grace = server.store.identities().find_user_by_name(DOMAIN, "grace").await.unwrap().unwrap().id;
    let signer = server.key_of(&grace).await;
    for guess in 0..5 {
        sign_in_from(&server, &format!("203.0.113.{guess}"), "grace", "wrong").await.expect_error(401, "IAM.0001");
    }
    let elsewhere = "198.51.100.9";
    sign_in_from(&server, elsewhere, "grace", PASSWORD).await.expect_error(401, "IAM.0061");
    let call = server.call(Method::GET, "/v3/projects").header("x-forwarded-for", elsewhere);
    signer.sign(call).send().await.expect_status(200);
    sign_in_from(&server, elsewhere, "grace", PASSWORD).await.expect_status(201);
}

#[tokio::test]
async fn at_most_five_of_forty_parallel_guesses_are_checked() {
    let database = PostgreSqlServer::start().await.unwrap();
    let first = Server::start_on_postgresql(&database, |_, _| {}).await;
    add_user_with_password(&first).await;
    let servers = [first.start_beside(&database).await, first.start_beside(&database).await, first];
    let guesses = (0..40).map(|guess| sign_in(&servers[guess % 3], "grace", "wrong"));
    let answers = futures_util::future::join_all(guesses).await;
    let codes: Vec<_> = answers.iter().map(Answer::code).collect();
    let checked = codes.iter().filter(|code| *code == "IAM.0001").count();
    assert_eq!(checked, 5, "{codes:?}");
    assert!(codes.iter().all(|code| code == "IAM.0001" || code == "IAM.0061"), "{codes:?}");
    for server in &servers {
        sign_in(server, "grace", PASSWORD).await.expect_error(401, "IAM.0061");
    }
}

#[tokio::test]
async fn concurrent_correct_passwords_consume_no_attempts() {
    let database = PostgreSqlServer::start().await.unwrap();
    let first = Server::start_on_postgresql(&database, |_, _| {}).await;
    add_user_with_password(&first).await;
    let servers = [first.start_beside(&database).await, first.start_beside(&database).await, first];
    for _ in 0..4 {
        sign_in(&servers[0], "grace", "wrong").await.expect_error(401, "IAM.0001");
    }
    let right = (0..9).map(|attempt| sign_in(&servers[attempt % 3], "grace", PASSWORD));
    for answer in futures_util::future::join_all(right).await {
        answer.expect_status(201);
    }
}

#[tokio::test]
async fn clock_skew_does_not_count_as_a_failed_attempt() {
    let server = start_server().await;
    let late = || {
        let call = server.call(Method::GET, "/v3/projects");
        call.signed(&server.access_key, &server.secret_key, SignedDuration::from_hours(1))
    };
    for _ in 0..6 {
        late().send().await.expect_error(401, "APIGW.0301");
    }
    server.sign(server.call(Method::GET, "/v3/projects")).send().await.expect_status(200);
}

#[tokio::test]
async fn lock_expires() {
    let server = start_server().await;
    for _ in 0..5 {
        sign_in(&server, "grace", "wrong").await.expect_error(401, "IAM.0001");
    }
    sign_in(&server, "grace", PASSWORD).await.expect_error(401, "IAM.0061");
    server.clock_forward(Duration::from_secs(301));
    sign_in(&server, "grace", PASSWORD).await.expect_status(201);
}
