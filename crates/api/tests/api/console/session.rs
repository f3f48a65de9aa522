//! Browser sessions: sign-in, session cookie, CSRF protection, change of project, sign-out.

use clew_http::TrustedProxies;
use clew_model::{Actor, AuditOutcome};
use clew_store::{Grantee, PolicyRef};
use http::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::call::Call;
use crate::server::{DOMAIN, REGION, Server, test_origin};

const PASSWORD: &str = "correct horse";
const SESSION: &str = "/clew/v1/console/session";

pub(super) async fn server() -> Server {
    let server = Server::start().await;
    with_password(&server, "grace").await;
    server
}

async fn with_password(server: &Server, name: &str) {
    with_policy(server, name, "TaurusDBReadOnlyAccessPolicy").await;
}

async fn with_policy(server: &Server, name: &str, policy: &str) {
    let user = server.user_with_system(name, policy).await;
    let hash = clew_iam::password::hash_password(&PASSWORD.into()).unwrap();
    let change = clew_store::UserChange { password_hash: Some(hash), ..Default::default() };
    assert!(server.store.identities().update_user(&test_origin(), &user, &change).await.unwrap());
}

fn sign_in_as(server: &Server, user: &str, password: &str) -> Call {
    let body = json!({ "domain": DOMAIN, "user": user, "password": password });
    server.call(Method::POST, SESSION).anonymous().body(body.to_string())
}

/// Session state of a browser.
pub(super) struct Browser {
    pub(super) cookie: String,
    pub(super) csrf: String,
    pub(super) session: Value,
}

impl Browser {
    pub(super) fn from_response(answer: &Answer, status: u16) -> Self {
        let session = answer.expect_status(status);
        let set = answer.header("set-cookie");
        let (cookie, attributes) = set.split_once(';').unwrap();
        assert!(attributes.starts_with(" Path=/; HttpOnly; SameSite=Strict; Max-Age="), "{set}");
        assert_eq!(answer.header("cache-control"), "no-store");
        let (name, token) = cookie.split_once('=').unwrap();
        assert_eq!(name.starts_with("__Host-clew_session_"), attributes.ends_with("; Secure"), "{set}");
        assert!(name == "clew_session" || attributes.ends_with("; Secure"), "{set}");
        assert!(token.len() == 64 && !answer.text().contains(token), "the page can read its token");
        Self { cookie: cookie.into(), csrf: session["csrf_token"].as_str().unwrap().into(), session }
    }

    pub(super) async fn sign_in(server: &Server) -> Self {
        Self::from_response(&sign_in_as(server, "grace", PASSWORD).send().await, 201)
    }

    /// Signs in a new user with a system policy.
    pub(super) async fn of_user(server: &Server, user: &str, policy: &str) -> Self {
        with_policy(server, user, policy).await;
        Self::from_response(&sign_in_as(server, user, PASSWORD).send().await, 201)
    }

    /// A request with the cookie, as the browser sends it for any site.
    pub(super) fn call(&self, server: &Server, method: Method, path: &str) -> Call {
        server.call(method, path).anonymous().header("cookie", &self.cookie)
    }

    /// A request with cookie and CSRF token, as the page sends it.
    pub(super) fn page(&self, server: &Server, method: Method, path: &str) -> Call {
        self.call(server, method, path).header("x-clew-csrf", &self.csrf).header("sec-fetch-site", "same-origin")
    }
}

#[tokio::test]
async fn sign_in_selects_the_first_project_and_cookie_authenticates() {
    let server = server().await;
    server.store.tenants().create_project(&test_origin(), &server.tenant.domain_id, "south-1", "").await.unwrap();
    let browser = Browser::sign_in(&server).await;
    let session = &browser.session;
    assert_eq!((&session["user"]["name"], &session["user"]["administrator"]), (&json!("grace"), &json!(false)));
    assert_eq!((&session["domain"]["name"], &session["project"]["name"]), (&json!(DOMAIN), &json!(REGION)));
    let names = session["projects"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), [REGION, "south-1"]);
    assert_eq!(session["version"], env!("CARGO_PKG_VERSION"));
    let list = format!("/v3/{}/instances", server.tenant.project_id);
    assert_eq!(browser.call(&server, Method::GET, &list).send().await.expect_status(200)["total_count"], 1);
    let shown = browser.call(&server, Method::GET, SESSION).send().await.expect_status(200);
    assert_eq!(shown, browser.session);
    // Also with other cookies; a token header takes precedence.
    let with_other_cookie =
        browser.call(&server, Method::GET, &list).header("cookie", &format!("theme=dark; {}", browser.cookie));
    with_other_cookie.send().await.expect_status(200);
    browser.call(&server, Method::GET, &list).token("guessed").send().await.expect_error(401, "APIGW.0301");
}

#[tokio::test]
async fn changes_require_the_csrf_token() {
    let server = server().await;
    let browser = Browser::sign_in(&server).await;
    let other = Browser::from_response(&sign_in_as(&server, "grace", PASSWORD).send().await, 201);
    let collect = || browser.call(&server, Method::POST, &server.sessions(""));
    let message = collect().send().await.expect_error(403, "APIGW.0301");
    assert!(message.contains("The X-Clew-Csrf header is missing"), "{message}");
    for wrong in ["", "x", &other.csrf, &browser.csrf[1..]] {
        collect().header("x-clew-csrf", wrong).send().await.expect_error(403, "APIGW.0301");
    }
    let with_csrf = || collect().header("x-clew-csrf", &browser.csrf);
    for (name, value) in
        [("sec-fetch-site", "same-site"), ("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")]
    {
        let message = with_csrf().header(name, value).send().await.expect_error(403, "APIGW.0301");
        assert!(message.contains("does not match Clew's origin"), "{message}");
    }
    assert_eq!(
        server.store.tasks().count_tasks_by_status().await.unwrap().iter().map(|(_, count)| count).sum::<u64>(),
        0
    );
    with_csrf().send().await.expect_status(202);
    with_csrf().header("origin", &format!("http://{}", server.address)).send().await.expect_status(202);
    // Reads need no CSRF token, but other sites are refused.
    let list = format!("/v3/{}/instances", server.tenant.project_id);
    let elsewhere = browser.call(&server, Method::GET, &list).header("sec-fetch-site", "same-site");
    elsewhere.send().await.expect_error(403, "APIGW.0301");
    // Requests with a token header need no CSRF token.
    server
        .call(Method::POST, &server.sessions(""))
        .header("sec-fetch-site", "cross-site")
        .send()
        .await
        .expect_status(202);
}

#[tokio::test]
async fn sign_out_revokes_the_token() {
    let server = server().await;
    let browser = Browser::sign_in(&server).await;
    browser.call(&server, Method::DELETE, SESSION).send().await.expect_error(403, "APIGW.0301");
    let out = browser.page(&server, Method::DELETE, SESSION).send().await;
    assert_eq!(out.status, 204);
    assert_eq!(out.header("set-cookie"), "clew_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    browser.call(&server, Method::GET, SESSION).send().await.expect_error(401, "APIGW.0307");
    assert_eq!(server.audit_of("RevokeToken").await.len(), 1);
}

#[tokio::test]
async fn project_change_replaces_the_token_and_keeps_its_expiry() {
    let server = server().await;
    let south =
        server.store.tenants().create_project(&test_origin(), &server.tenant.domain_id, "south-1", "").await.unwrap();
    let rival = server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
    let theirs = server.store.tenants().create_project(&test_origin(), &rival, "theirs", "").await.unwrap();
    let first = Browser::sign_in(&server).await;
    let choose = |browser: &Browser, project: Value| {
        let call = browser.page(&server, Method::POST, "/clew/v1/console/session/project");
        call.body(json!({ "project_id": project }).to_string())
    };
    for project in [theirs.as_str(), "nonsense", ""] {
        choose(&first, json!(project)).send().await.expect_error(403, "IAM.0002");
    }
    let second = Browser::from_response(&choose(&first, json!(south.as_str())).send().await, 200);
    assert_eq!(second.session["project"]["id"], south.as_str());
    assert_eq!(second.session["expires_at"], first.session["expires_at"]);
    assert_ne!((&second.cookie, &second.csrf), (&first.cookie, &first.csrf));
    first.call(&server, Method::GET, SESSION).send().await.expect_error(401, "APIGW.0307");
    let get =
        async |browser: &Browser, path: String| browser.call(&server, Method::GET, &path).send().await.status.as_u16();
    assert_eq!(get(&second, format!("/v3/{south}/instances")).await, 200);
    assert_eq!(get(&second, format!("/v3/{}/instances", server.tenant.project_id)).await, 403);
    let domain = Browser::from_response(&choose(&second, Value::Null).send().await, 200);
    assert_eq!(domain.session["project"], Value::Null);
    assert_eq!(get(&domain, format!("/v3/{south}/instances")).await, 403);
}

#[tokio::test]
async fn failed_sign_ins_count_with_those_of_the_identity_api() {
    let mut server = server().await;
    for guess in 0..5 {
        let refused = if guess % 2 == 0 {
            sign_in_as(&server, "grace", "wrong").send().await
        } else {
            let user = json!({ "name": "grace", "password": "wrong", "domain": { "name": DOMAIN } });
            let body = json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": user } } } });
            server.call(Method::POST, "/v3/auth/tokens").anonymous().body(body.to_string()).send().await
        };
        refused.expect_error(401, "IAM.0001");
    }
    sign_in_as(&server, "grace", PASSWORD).send().await.expect_error(401, "IAM.0061");
    assert_eq!(server.stop_and_count("CreateConsoleSession").await, (3, 4));
    let rows = server.audit_of("CreateConsoleSession").await;
    assert!(rows.iter().all(|row| row.event.outcome == AuditOutcome::Denied));
}

#[tokio::test]
async fn sign_ins_are_audited_without_secrets_and_refused_for_other_sites() {
    let server = server().await;
    let browser = Browser::sign_in(&server).await;
    let row = server.audit_of("CreateConsoleSession").await.remove(0).event;
    assert!(matches!(&row.origin.actor, Actor::User { name, .. } if name == "grace"), "{row:?}");
    assert_eq!(
        (row.outcome, row.detail),
        (AuditOutcome::Succeeded, json!({ "scope": format!("project {}", server.tenant.project_id) }))
    );
    let everything = format!("{:?}", server.audit_of("CreateConsoleSession").await);
    assert!(!everything.contains(&browser.cookie[13..]) && !everything.contains(PASSWORD));
    let elsewhere = sign_in_as(&server, "grace", PASSWORD).header("origin", "http://evil.example");
    elsewhere.send().await.expect_error(403, "APIGW.0301");
    for body in [
        "",
        "{}",
        "[]",
        r#"{"domain":"acme","user":"grace"}"#,
        r#"{"domain":"acme","user":7,"password":"x"}"#,
        r#"{"domain":"a","user":"b","password":"c","d":1}"#,
    ] {
        let answer = server.call(Method::POST, SESSION).anonymous().body(body).send().await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
}

#[tokio::test]
async fn revoked_permissions_end_the_session_and_tls_cookies_require_tls() {
    let server = Server::start_with(|settings, _| {
        settings.connections.trusted_proxies = TrustedProxies::parse(&["127.0.0.1".into()]).unwrap();
    })
    .await;
    with_password(&server, "grace").await;
    let answer = sign_in_as(&server, "grace", PASSWORD).header("x-forwarded-proto", "https").send().await;
    let name = format!("__Host-clew_session_{}=", server.address.port());
    assert!(answer.header("set-cookie").starts_with(&name), "{:?}", answer.headers);
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    let browser = Browser::from_response(&answer, 201);
    let grace = server.store.identities().find_user_by_name(DOMAIN, "grace").await.unwrap().unwrap().id;
    let policy = PolicyRef::System("TaurusDBReadOnlyAccessPolicy".into());
    assert!(server.store.policies().detach_policy(&test_origin(), &policy, &Grantee::User(grace), None).await.unwrap());
    let show = || browser.call(&server, Method::GET, SESSION);
    show().header("x-forwarded-proto", "https").send().await.expect_error(401, "APIGW.0307");
    // Without TLS, the server expects a cookie with another name.
    show().send().await.expect_error(401, "APIGW.0301");
}
