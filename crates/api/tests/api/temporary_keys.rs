//! Temporary access keys with their security tokens.

use clew_model::{AccessKeyId, UserId};
use clew_store::{IssuingCredentials, NewTemporaryAccessKey, UserChange};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::call::Call;
use crate::server::{Server, test_origin};

const PATH: &str = "/v3.0/OS-CREDENTIAL/securitytokens";
const SECURITY_TOKEN: &str = "x-security-token";

struct TemporaryKey {
    key: AccessKeyId,
    secret: SecretString,
    token: String,
}

impl TemporaryKey {
    fn of(answer: &Value) -> Self {
        let text = |name: &str| answer["credential"][name].as_str().unwrap().to_owned();
        Self { key: text("access").parse().unwrap(), secret: text("secret").into(), token: text("securitytoken") }
    }

    fn sign(&self, call: Call) -> Call {
        call.header(SECURITY_TOKEN, &self.token).signed(&self.key, &self.secret, SignedDuration::ZERO)
    }
}

fn body(token: &Value) -> String {
    json!({ "auth": { "identity": { "methods": ["token"], "token": token } } }).to_string()
}

async fn request_key(server: &Server, asking: &str, body: &str) -> Answer {
    server.call(Method::POST, PATH).token(asking).body(body).send().await
}

async fn create_key(server: &Server, user: &UserId) -> TemporaryKey {
    let token = server.project_token(user).await;
    TemporaryKey::of(&request_key(server, &token, &body(&json!({}))).await.expect_status(201))
}

fn list_instances(server: &Server) -> Call {
    server.call(Method::GET, &format!("/v3/{}/instances", server.tenant.project_id))
}

#[tokio::test]
async fn temporary_key_has_the_scope_of_its_token() {
    let server = Server::start().await;
    let administrator = server.tenant.user_id.clone();
    let sibling =
        server.store.tenants().create_project(&test_origin(), &server.tenant.domain_id, "south-1", "").await.unwrap();
    let sibling_path = format!("/v3/{sibling}/instances");
    let open = async |key: &TemporaryKey| {
        let (own, other) = (
            key.sign(list_instances(&server)).send().await,
            key.sign(server.call(Method::GET, &sibling_path)).send().await,
        );
        (own.status.as_u16(), other.status.as_u16())
    };
    let of_project = create_key(&server, &administrator).await;
    assert_eq!(open(&of_project).await, (200, 403));
    let domain = server.domain_token(&administrator).await;
    let of_domain = TemporaryKey::of(&request_key(&server, &domain, &body(&json!({}))).await.expect_status(201));
    assert_eq!(open(&of_domain).await, (403, 403));
    let signed = server.sign(server.call(Method::POST, PATH).body(body(&json!(null)))).send().await;
    assert_eq!(open(&TemporaryKey::of(&signed.expect_status(201))).await, (200, 200));
    // A token in the body takes precedence over the request's own credentials.
    let token = server.project_token(&administrator).await;
    let signed_with_token =
        server.sign(server.call(Method::POST, PATH).body(body(&json!({ "id": token })))).send().await;
    assert_eq!(open(&TemporaryKey::of(&signed_with_token.expect_status(201))).await, (200, 403));
    let identity = of_project.sign(server.call(Method::GET, "/v5/caller-identity")).send().await.expect_status(200);
    assert_eq!(identity["principal_id"], administrator.as_str());
}

#[tokio::test]
async fn temporary_key_has_the_permissions_of_its_user() {
    let server = Server::start().await;
    let key = create_key(&server, &server.user("nothing").await).await;
    key.sign(list_instances(&server)).send().await.expect_error(403, "DBS.280015");
    let key = create_key(&server, &server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await).await;
    key.sign(list_instances(&server)).send().await.expect_status(200);
}

#[tokio::test]
async fn temporary_key_requires_its_signed_security_token() {
    let server = Server::start().await;
    let key = create_key(&server, &server.tenant.user_id).await;
    let other = create_key(&server, &server.tenant.user_id).await;
    key.sign(list_instances(&server)).send().await.expect_status(200);
    let bare = list_instances(&server).signed(&key.key, &key.secret, SignedDuration::ZERO);
    let message = bare.send().await.expect_error(401, "APIGW.0301");
    assert!(message.ends_with("X-Security-Token is required for a temporary access key"), "{message}");
    let bare = list_instances(&server).signed(&key.key, &key.secret, SignedDuration::ZERO);
    let message = bare.header(SECURITY_TOKEN, &key.token).send().await.expect_error(401, "APIGW.0301");
    assert!(message.contains("the header x-security-token must be signed"), "{message}");
    let widened = key.token.split('.').next().unwrap().to_owned();
    for wrong in ["x", &widened, &format!("{widened}.domain"), &other.token, &key.token.to_ascii_uppercase()] {
        let call =
            list_instances(&server).header(SECURITY_TOKEN, wrong).signed(&key.key, &key.secret, SignedDuration::ZERO);
        let message = call.send().await.expect_error(401, "APIGW.0301");
        assert!(message.ends_with("X-Security-Token does not match the access key"), "{wrong}: {message}");
        server.clear_auth_failures(&format!("key:{}", key.key)).await;
    }
    let permanent = server.sign(list_instances(&server).header(SECURITY_TOKEN, &key.token));
    let message = permanent.send().await.expect_error(401, "APIGW.0301");
    assert!(message.ends_with("X-Security-Token is allowed only for temporary access keys"), "{message}");
}

#[tokio::test]
async fn wrong_security_tokens_lock_the_key() {
    let server = Server::start().await;
    let key = create_key(&server, &server.tenant.user_id).await;
    for _ in 0..5 {
        let call =
            list_instances(&server).header(SECURITY_TOKEN, "x").signed(&key.key, &key.secret, SignedDuration::ZERO);
        call.send().await.expect_error(401, "APIGW.0301");
    }
    let message = key.sign(list_instances(&server)).send().await.expect_error(401, "APIGW.0301");
    assert!(message.ends_with("AK access failed to reach the limit,forbidden"), "{message}");
}

#[tokio::test]
async fn temporary_key_expires_and_is_revoked() {
    let server = Server::start().await;
    let secret: SecretString = "0123456789012345678901234567890123456789".into();
    let over = NewTemporaryAccessKey {
        user_id: server.tenant.user_id.clone(),
        id: AccessKeyId::generate(),
        secret: secret.clone(),
        token_hash: clew_iam::token::hash_token("plain"),
        expires_at: Timestamp::now().as_second() - 1,
        issued_for: IssuingCredentials::CommandLine,
    };
    server.store.identities().create_temporary_key(&test_origin(), &over).await.unwrap();
    let key = TemporaryKey { key: over.id, secret, token: "plain".into() };
    let message = key.sign(list_instances(&server)).send().await.expect_error(401, "APIGW.0301");
    assert!(message.contains("the temporary access key expired at 20"), "{message}");

    let user = server.user_of(&server.tenant.domain_id, "grace", true).await;
    let key = create_key(&server, &user).await;
    key.sign(list_instances(&server)).send().await.expect_status(200);
    let change = UserChange { password_hash: Some("no password fits this".into()), ..Default::default() };
    server.store.identities().update_user(&test_origin(), &user, &change).await.unwrap();
    let message = key.sign(list_instances(&server)).send().await.expect_error(401, "APIGW.0301");
    assert!(message.ends_with("the temporary access key was revoked"), "{message}");
}

#[tokio::test]
async fn temporary_key_cannot_add_a_kill_task_that_outlives_it() {
    let server = Server::start().await;
    let process = format!("/v3/{}/instances/{}/process", server.tenant.project_id, server.instance.id);
    let (switch, task) = (format!("{process}/task/switch"), format!("{process}/task"));
    let on = server.call(Method::PUT, &switch).body(json!({ "status": "ON" }).to_string());
    assert_eq!(server.sign(on).send().await.status, 200);
    let add = |kind: &str, seconds: Option<u32>| {
        let body = json!({ "time": 60, "task_type": kind, "task_duration": seconds });
        let body: serde_json::Map<_, _> =
            body.as_object().unwrap().clone().into_iter().filter(|(_, value)| !value.is_null()).collect();
        server.call(Method::POST, &task).body(json!(body).to_string())
    };
    // Valid for 15 minutes.
    let key = create_key(&server, &server.tenant.user_id).await;
    for (kind, seconds) in [("manual", None), ("auto", Some(1000))] {
        let message = key.sign(add(kind, seconds)).send().await.expect_error(403, "DBS.280015");
        assert!(
            message.contains("would outlive the temporary access key") && message.contains("Fix: add an auto task"),
            "{message}"
        );
    }
    key.sign(add("auto", Some(600))).send().await.expect_status(200);
    // A token may add any task: tasks are settings of the instance.
    let token = server.project_token(&server.tenant.user_id).await;
    add("manual", None).token(&token).send().await.expect_status(200);
    server.sign(add("manual", None)).send().await.expect_status(200);
}

#[tokio::test]
async fn temporary_key_cannot_create_keys_or_use_foreign_tokens() {
    let server = Server::start().await;
    let key = create_key(&server, &server.tenant.user_id).await;
    let token = server.project_token(&server.tenant.user_id).await;
    for body in [body(&json!({})), body(&json!({ "id": token }))] {
        let message = key.sign(server.call(Method::POST, PATH).body(body)).send().await.expect_error(403, "IAM.0002");
        assert!(message.ends_with("use a token or a permanent access key."), "{message}");
    }
    let grace = server.project_token(&server.user("grace").await).await;
    let over = server.token_of(&server.tenant.user_id, None, -1).await;
    for (id, code) in [(grace.as_str(), "IAM.0067"), ("x", "IAM.0067"), (&over, "IAM.0066")] {
        request_key(&server, &token, &body(&json!({ "id": id }))).await.expect_error(401, code);
    }
}

#[tokio::test]
async fn invalid_requests_are_rejected() {
    let server = Server::start().await;
    let token = server.token_of(&server.tenant.user_id, Some(&server.tenant.project_id), 100_000).await;
    for seconds in [900, 86_400] {
        let answer =
            request_key(&server, &token, &body(&json!({ "duration_seconds": seconds }))).await.expect_status(201);
        let end: Timestamp = answer["credential"]["expires_at"].as_str().unwrap().parse().unwrap();
        let life = end.duration_since(Timestamp::now()).as_secs();
        assert!((seconds - 60..=seconds).contains(&life), "{life}");
    }
    for seconds in [0, -1, 899, 86_401, i64::MAX] {
        let answer = request_key(&server, &token, &body(&json!({ "duration_seconds": seconds }))).await;
        let message = answer.expect_error(400, "IAM.0073");
        assert!(message.contains("Fix: use 900 to 86400"), "{message}");
    }
    let policy = json!({ "auth": { "identity": { "methods": ["token"], "policy": { "Version": "1.1" } } } });
    let message = request_key(&server, &token, &policy.to_string()).await.expect_error(400, "IAM.0073");
    assert!(message.contains("auth.identity.policy is not supported"), "{message}");
    let methods = |methods: Value| json!({ "auth": { "identity": { "methods": methods } } }).to_string();
    for text in [
        String::new(),
        "{}".into(),
        "null".into(),
        methods(json!([])),
        methods(json!(["assume_role"])),
        methods(json!(["token", "password"])),
        body(&json!({ "duration_seconds": "900" })),
        body(&json!({ "duration_seconds": 900.5 })),
        body(&json!({ "id": 7 })),
        body(&json!({ "policy": {} })),
        r#"{"auth":{"identity":{"methods":["token"]},"policy":{}}}"#.into(),
    ] {
        request_key(&server, &token, &text).await.expect_error(400, "IAM.0011");
    }
    request_key(&server, &token, &body(&json!({ "duration_seconds": null, "id": null }))).await.expect_status(201);
}
