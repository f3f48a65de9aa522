//! Exchange of credentials: scope and lifetime never grow.

use clew_model::{AccessKeyId, Actor, AuditOrigin, UserId};
use clew_store::TokenOrigin;
use clew_testkit::PostgreSqlServer;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::call::Call;
use crate::server::{Server, test_origin};

const CHOOSE_PROJECT: &str = "/clew/v1/console/session/project";
const TEMPORARY_KEYS: &str = "/v3.0/OS-CREDENTIAL/securitytokens";

/// A request with a JSON body. The body is empty for `null`.
fn call(server: &Server, method: &Method, path: &str, body: &Value) -> Call {
    let call = server.call(method.clone(), path);
    if body.is_null() { call } else { call.body(body.to_string()) }
}

struct TemporaryKey {
    id: AccessKeyId,
    secret: SecretString,
    token: String,
    expires_at: i64,
}

impl TemporaryKey {
    fn of(answer: &Value) -> Self {
        let text = |name: &str| answer["credential"][name].as_str().unwrap().to_owned();
        Self {
            id: text("access").parse().unwrap(),
            secret: text("secret").into(),
            token: text("securitytoken"),
            expires_at: text("expires_at").parse::<Timestamp>().unwrap().as_second(),
        }
    }

    fn sign(&self, call: Call) -> Call {
        call.header("x-security-token", &self.token).signed(&self.id, &self.secret, SignedDuration::ZERO)
    }
}

fn temporary_key_request(token: &Value) -> String {
    json!({ "auth": { "identity": { "methods": ["token"], "token": token } } }).to_string()
}

async fn exchanged_credentials_never_widen_the_scope(server: Server) {
    let administrator = server.tenant.user_id.clone();
    let south =
        server.store.tenants().create_project(&test_origin(), &server.tenant.domain_id, "south-1", "").await.unwrap();
    let of_project = server.project_token(&administrator).await;
    let of_domain = server.domain_token(&administrator).await;
    for token in [&of_project, &of_domain] {
        for project in [Value::Null, json!(south.as_str()), json!(server.tenant.project_id.as_str())] {
            let body = json!({ "project_id": project });
            let answer = call(&server, &Method::POST, CHOOSE_PROJECT, &body).token(token).send().await;
            let message = answer.expect_error(403, "IAM.0002");
            assert!(message.contains("Only a session started on the web page can switch projects."), "{message}");
            assert!(answer.headers.get("set-cookie").is_none());
        }
    }
    // The tokens are neither exchanged nor revoked.
    let instances = format!("/v3/{}/instances", server.tenant.project_id);
    server.call(Method::GET, &instances).token(&of_project).send().await.expect_status(200);
    server.call(Method::GET, "/clew/v1/users").token(&of_project).send().await.expect_error(403, "IAM.0002");
    server.call(Method::GET, "/clew/v1/users").token(&of_domain).send().await.expect_status(200);
    // A temporary key of the token has the same scope and no session.
    let key = server.call(Method::POST, TEMPORARY_KEYS).token(&of_project).body(temporary_key_request(&json!({})));
    let key = TemporaryKey::of(&key.send().await.expect_status(201));
    let domain = call(&server, &Method::POST, CHOOSE_PROJECT, &json!({ "project_id": null }));
    key.sign(domain).send().await.expect_error(403, "IAM.0002");
    key.sign(server.call(Method::GET, "/clew/v1/users")).send().await.expect_error(403, "IAM.0002");
    // A session of the web page may change its project and keeps its origin and expiry.
    let console = server.console_token(&administrator, Some(&server.tenant.project_id)).await;
    let body = json!({ "project_id": null });
    let answer = call(&server, &Method::POST, CHOOSE_PROJECT, &body).token(&console).send().await;
    answer.expect_status(200);
    let cookie = answer.header("set-cookie");
    let next = cookie.split_once('=').and_then(|(_, value)| value.split(';').next()).unwrap();
    let stored = server.store.identities().find_token(&clew_iam::token::hash_token(next)).await.unwrap().unwrap();
    let before = server.store.identities().find_token(&clew_iam::token::hash_token(&console)).await.unwrap().unwrap();
    assert_eq!((stored.origin, stored.scope_project.is_none()), (TokenOrigin::Console, true));
    assert_eq!((before.revoked, stored.expires_at), (true, before.expires_at));
}

#[tokio::test]
async fn exchanged_credentials_never_widen_the_scope_on_sqlite() {
    exchanged_credentials_never_widen_the_scope(Server::start().await).await;
}

#[tokio::test]
async fn exchanged_credentials_never_widen_the_scope_on_postgresql() {
    let database = PostgreSqlServer::start().await.unwrap();
    exchanged_credentials_never_widen_the_scope(Server::start_on_postgresql(&database, |_, _| {}).await).await;
}

/// All requests that create or change permanent objects.
async fn permanent_changes(server: &Server) -> Vec<(Method, String, Value)> {
    let user = server.user("grace").await;
    let key = server.key_of(&user).await.key;
    assert!(server.store.identities().set_access_key_enabled(&test_origin(), &key, false).await.unwrap());
    let group =
        server.store.identities().create_group(&test_origin(), &server.tenant.domain_id, "dbas", "").await.unwrap();
    let (admin, project) = (&server.tenant.user_id, &server.tenant.project_id);
    let document = json!({ "Version": "5.0", "Statement": [{ "Effect": "Allow", "Action": ["*"] }] });
    let attachments = "policies/TaurusDBFullAccessPolicy/attachments";
    vec![
        (Method::POST, "users".into(), json!({ "name": "mallory" })),
        (Method::PATCH, format!("users/{user}"), json!({ "password": "correct horse" })),
        (Method::PATCH, format!("users/{user}"), json!({ "administrator": true })),
        (Method::DELETE, format!("users/{user}"), Value::Null),
        (Method::POST, format!("users/{user}/keys"), Value::Null),
        (Method::POST, format!("users/{admin}/keys"), Value::Null),
        (Method::PATCH, format!("users/{user}/keys/{key}"), json!({ "enabled": true })),
        (Method::POST, "groups".into(), json!({ "name": "more" })),
        (Method::PUT, format!("groups/{group}/members/{user}"), Value::Null),
        (Method::DELETE, format!("groups/{group}"), Value::Null),
        (Method::PUT, "policies/everything".into(), json!({ "document": document })),
        (Method::POST, attachments.into(), json!({ "user_id": user })),
        (Method::POST, "projects".into(), json!({ "name": "more" })),
        (Method::PATCH, format!("projects/{project}"), json!({ "masking": false })),
        (Method::POST, "enterprise-projects".into(), json!({ "name": "more" })),
    ]
}

async fn temporary_credentials_create_nothing_permanent(server: Server) {
    let administrator = server.tenant.user_id.clone();
    let changes = permanent_changes(&server).await;
    let token = server.domain_token(&administrator).await;
    let of_token = server.call(Method::POST, TEMPORARY_KEYS).token(&token).body(temporary_key_request(&json!({})));
    let of_token = TemporaryKey::of(&of_token.send().await.expect_status(201));
    let of_key = server.call(Method::POST, TEMPORARY_KEYS).body(temporary_key_request(&json!({})));
    let of_key = TemporaryKey::of(&server.sign(of_key).send().await.expect_status(201));
    // Reads are permitted.
    for key in [&of_token, &of_key] {
        key.sign(server.call(Method::GET, "/clew/v1/users")).send().await.expect_status(200);
    }
    let before = count_audit_changes(&server).await;
    for (method, path, body) in &changes {
        let path = format!("/clew/v1/{path}");
        let with_token = call(&server, method, &path, body).token(&token);
        let with_keys = [&of_token, &of_key].map(|key| key.sign(call(&server, method, &path, body)));
        for call in [with_token].into_iter().chain(with_keys) {
            let message = call.send().await.expect_error(403, "IAM.0002");
            assert!(message.contains("cannot create or change permanent objects"), "{method} {path}: {message}");
        }
    }
    // Further temporary keys are rejected.
    let more = || server.call(Method::POST, TEMPORARY_KEYS).body(temporary_key_request(&json!({})));
    for key in [&of_token, &of_key] {
        key.sign(more()).send().await.expect_error(403, "IAM.0002");
    }
    assert_eq!(count_audit_changes(&server).await, before, "something was changed");
    // Sessions of the web page and permanent keys are permitted.
    let console = server.console_token(&administrator, None).await;
    call(&server, &Method::POST, "/clew/v1/users", &json!({ "name": "linus" }))
        .token(&console)
        .send()
        .await
        .expect_status(201);
    server
        .sign(call(&server, &Method::POST, "/clew/v1/users", &json!({ "name": "ken" })))
        .send()
        .await
        .expect_status(201);
}

/// Number of audit rows other than denials.
async fn count_audit_changes(server: &Server) -> usize {
    let rows =
        server.store.audit().list_audit_rows_after_seq(&clew_store::AuditFilter::default(), 0, 1000).await.unwrap();
    rows.iter().filter(|row| row.event.outcome == clew_model::AuditOutcome::Succeeded).count()
}

#[tokio::test]
async fn temporary_credentials_create_nothing_permanent_on_sqlite() {
    temporary_credentials_create_nothing_permanent(Server::start().await).await;
}

#[tokio::test]
async fn temporary_credentials_create_nothing_permanent_on_postgresql() {
    let database = PostgreSqlServer::start().await.unwrap();
    let server = Server::start_on_postgresql(&database, |_, _| {}).await;
    temporary_credentials_create_nothing_permanent(server).await;
}

async fn temporary_key_expires_with_its_token(server: Server) {
    let administrator: UserId = server.tenant.user_id.clone();
    let project = server.tenant.project_id.clone();
    let day = json!({ "duration_seconds": 86_400 });
    let end_of = async |token: &str| {
        let stored = server.store.identities().find_token(&clew_iam::token::hash_token(token)).await.unwrap().unwrap();
        stored.expires_at
    };
    // Keys issued for the request's token, and for a token in the body of a request signed with a permanent key.
    let short = server.token_of(&administrator, Some(&project), 1000).await;
    let by_request = server.call(Method::POST, TEMPORARY_KEYS).token(&short).body(temporary_key_request(&day));
    let by_request = TemporaryKey::of(&by_request.send().await.expect_status(201));
    assert_eq!(by_request.expires_at, end_of(&short).await);
    let named_token = json!({ "id": short, "duration_seconds": 86_400 });
    let by_body = server.sign(server.call(Method::POST, TEMPORARY_KEYS).body(temporary_key_request(&named_token)));
    let by_body = TemporaryKey::of(&by_body.send().await.expect_status(201));
    assert_eq!(by_body.expires_at, end_of(&short).await);
    // A key with a shorter lifetime expires earlier.
    let long = server.token_of(&administrator, Some(&project), 50_000).await;
    let brief = server.call(Method::POST, TEMPORARY_KEYS).token(&long).body(temporary_key_request(&json!({})));
    let brief = TemporaryKey::of(&brief.send().await.expect_status(201));
    assert!(brief.expires_at <= Timestamp::now().as_second() + 900);
    let permanent = server.sign(server.call(Method::POST, TEMPORARY_KEYS).body(temporary_key_request(&day)));
    let permanent = TemporaryKey::of(&permanent.send().await.expect_status(201));
    assert!(permanent.expires_at > Timestamp::now().as_second() + 80_000);
    // Revocation of a token revokes its keys and no others.
    let instances = || server.call(Method::GET, &format!("/v3/{project}/instances"));
    for key in [&by_request, &by_body, &brief, &permanent] {
        key.sign(instances()).send().await.expect_status(200);
    }
    let revoke = server.call(Method::DELETE, "/v3/auth/tokens").token(&long).header("x-subject-token", &short);
    assert_eq!(revoke.send().await.status, 204);
    for key in [&by_request, &by_body] {
        let message = key.sign(instances()).send().await.expect_error(401, "APIGW.0301");
        assert!(message.ends_with("the temporary access key was revoked"), "{message}");
    }
    for key in [&brief, &permanent] {
        key.sign(instances()).send().await.expect_status(200);
    }
}

#[tokio::test]
async fn temporary_key_expires_with_its_token_on_sqlite() {
    temporary_key_expires_with_its_token(Server::start().await).await;
}

#[tokio::test]
async fn temporary_key_expires_with_its_token_on_postgresql() {
    let database = PostgreSqlServer::start().await.unwrap();
    temporary_key_expires_with_its_token(Server::start_on_postgresql(&database, |_, _| {}).await).await;
}

#[tokio::test]
async fn download_link_expires_with_the_requesting_credentials() {
    let server = Server::start().await;
    // A completed intelligent kill of the test instance, listed in the history.
    let new = clew_store::IntelligentKillRequest {
        by: AuditOrigin {
            actor: Actor::User {
                id: server.tenant.user_id.clone(),
                name: "ada".into(),
                domain_id: server.tenant.domain_id.clone(),
            },
            ..test_origin()
        },
        project_id: server.tenant.project_id.clone(),
        instance_id: server.instance.id.clone(),
        node_id: server.node(),
    };
    let id = server.store.kills().insert_intelligent_kill(&new, 1).await.unwrap();
    let hour = std::time::Duration::from_hours(1);
    assert_eq!(server.store.kills().claim_intelligent_kill(hour, hour).await.unwrap().unwrap().id, id);
    assert!(server.store.kills().finish_intelligent_kill(id, None, 0).await.unwrap());
    let path = format!(
        "/v3/{}/instances/{}/intelligent-kill-session/history?node_id={}&start_time=0&end_time={}",
        server.tenant.project_id,
        server.instance.id,
        server.node(),
        i64::MAX
    );
    let expiry = |answer: Value| -> i64 {
        let link = answer["intelligent_kill_session_histories"][0]["download_link"].as_str().unwrap().to_owned();
        link.split("expires=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap()
    };
    let token = server.token_of(&server.tenant.user_id, Some(&server.tenant.project_id), 600).await;
    let end =
        server.store.identities().find_token(&clew_iam::token::hash_token(&token)).await.unwrap().unwrap().expires_at;
    let by_token = expiry(server.call(Method::GET, &path).token(&token).send().await.expect_status(200));
    assert_eq!(by_token, end);
    let by_key = expiry(server.sign(server.call(Method::GET, &path)).send().await.expect_status(200));
    assert!(by_key > end, "a permanent key does not expire, so the link is valid for an hour");
}
