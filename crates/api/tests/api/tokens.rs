//! Validation and revocation of tokens.

use clew_model::UserId;
use clew_store::{Grantee, PolicyRef, UserChange};
use http::Method;
use serde_json::json;

use crate::answer::Answer;
use crate::server::{DOMAIN, REGION, Server, test_origin};

async fn call_subject(server: &Server, method: Method, asking: &str, subject: &str) -> Answer {
    server.call(method, "/v3/auth/tokens").token(asking).header("x-subject-token", subject).send().await
}

async fn is_accepted(server: &Server, token: &str) -> bool {
    let answer = server.call(Method::GET, "/v3/projects").token(token).send().await;
    if answer.status == 200 {
        return true;
    }
    let message = answer.expect_error(401, "APIGW.0307");
    assert!(message.starts_with("The token must be updated. The token was revoked"), "{message}");
    false
}

#[tokio::test]
async fn token_details_are_shown() {
    let server = Server::start().await;
    let grace = server.user("grace").await;
    let (of_project, of_domain) = (server.project_token(&grace).await, server.domain_token(&grace).await);
    let answer = call_subject(&server, Method::GET, &of_domain, &of_project).await;
    let token = answer.expect_status(200)["token"].clone();
    assert_eq!(answer.header("x-subject-token"), of_project);
    assert_eq!((&token["project"]["name"], &token["user"]["name"]), (&json!(REGION), &json!("grace")));
    assert_eq!((&token["methods"], &token["catalog"][0]["type"]), (&json!(["password"]), &json!("iam")));
    let token = call_subject(&server, Method::GET, &of_project, &of_domain).await.expect_status(200)["token"].clone();
    assert_eq!((&token["domain"]["name"], token.get("project")), (&json!(DOMAIN), None));
    let call = server.call(Method::GET, "/v3/auth/tokens?nocatalog=1").token(&of_domain);
    let token = call.header("x-subject-token", &of_project).send().await.expect_status(200)["token"].clone();
    assert_eq!(token.get("catalog"), None);
    let head = call_subject(&server, Method::HEAD, &of_domain, &of_project).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn invalid_and_foreign_tokens_are_not_found() {
    let server = Server::start().await;
    let rival = server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
    let eve = server.user_of(&rival, "eve", true).await;
    let grace = server.user("grace").await;
    let reader = server.user_with_system("reader", "TaurusDBFullAccessPolicy").await;
    let theirs = server.domain_token(&eve).await;
    let over = server.token_of(&grace, None, -1).await;
    let revoked = server.domain_token(&grace).await;
    server.store.identities().revoke_token(&test_origin(), &clew_iam::token::hash_token(&revoked)).await.unwrap();
    let good = server.domain_token(&grace).await;
    let administrator = server.domain_token(&server.tenant.user_id).await;
    let mut answers = Vec::new();
    for method in [Method::GET, Method::DELETE] {
        for subject_token in ["x", "", "é", &"a".repeat(64), &theirs, &over, &revoked] {
            answers.push(call_subject(&server, method.clone(), &administrator, subject_token).await);
        }
        // A valid token of another user: for a user without list permission, and for an administrator of another domain.
        for asking in [server.domain_token(&reader).await, server.domain_token(&eve).await] {
            answers.push(call_subject(&server, method.clone(), &asking, &good).await);
        }
    }
    for answer in &answers {
        answer.expect_error(404, "IAM.0004");
        assert_eq!(answer.body, answers[0].body);
    }
    assert!(is_accepted(&server, &good).await && is_accepted(&server, &theirs).await);
    let none = server.call(Method::GET, "/v3/auth/tokens").send().await;
    none.expect_error(400, "IAM.0009");
}

#[tokio::test]
async fn revoked_token_is_rejected() {
    let server = Server::start().await;
    let grace = server.user("grace").await;
    let (first, second) = (server.domain_token(&grace).await, server.domain_token(&grace).await);
    assert_eq!(call_subject(&server, Method::DELETE, &first, &second).await.status, 204);
    assert!(is_accepted(&server, &first).await && !is_accepted(&server, &second).await);
    assert_eq!(call_subject(&server, Method::DELETE, &first, &first).await.status, 204);
    assert!(!is_accepted(&server, &first).await);
    let third = server.domain_token(&grace).await;
    let administrator = server.domain_token(&server.tenant.user_id).await;
    assert_eq!(call_subject(&server, Method::DELETE, &administrator, &third).await.status, 204);
    assert!(!is_accepted(&server, &third).await);
}

#[tokio::test]
async fn list_permission_permits_validation_but_not_revocation() {
    let server = Server::start().await;
    let listing = json!([{ "Effect": "Allow", "Action": ["clew:identity:list"] }]);
    let clerk = server.user_with("clerk", listing).await;
    let grace = server.user("grace").await;
    let token = server.domain_token(&grace).await;
    let asking = server.domain_token(&clerk).await;
    call_subject(&server, Method::GET, &asking, &token).await.expect_status(200);
    call_subject(&server, Method::DELETE, &asking, &token).await.expect_error(404, "IAM.0004");
    let of_project = server.project_token(&clerk).await;
    call_subject(&server, Method::GET, &of_project, &token).await.expect_error(404, "IAM.0004");
}

/// Changes that revoke a token immediately.
#[tokio::test]
async fn changes_of_a_user_or_their_policies_revoke_tokens() {
    let server = Server::start().await;
    let store = &server.store;
    let domain = &server.tenant.domain_id;
    let group = store.identities().create_group(&test_origin(), domain, "team", "").await.unwrap();
    let grace = server.user("grace").await;
    let bystander = server.user("bystander").await;
    let bystanders = server.domain_token(&bystander).await;
    let system = PolicyRef::System("TaurusDBReadOnlyAccessPolicy".into());
    let to_user = Grantee::User(grace.clone());
    let change = async |user: &UserId, change: UserChange| {
        assert!(store.identities().update_user(&test_origin(), user, &change).await.unwrap());
    };
    let before = async || {
        let token = server.domain_token(&grace).await;
        assert!(is_accepted(&server, &token).await);
        token
    };
    let after = async |what: &str, token: String| assert!(!is_accepted(&server, &token).await, "{what}");

    let token = before().await;
    store.policies().attach_policy(&test_origin(), &system, &to_user, None).await.unwrap();
    after("attach", token).await;
    let token = before().await;
    store.policies().detach_policy(&test_origin(), &system, &to_user, None).await.unwrap();
    after("detach", token).await;
    store.policies().attach_policy(&test_origin(), &system, &Grantee::Group(group.clone()), None).await.unwrap();
    let token = before().await;
    store.identities().add_group_member(&test_origin(), &group, &grace).await.unwrap();
    after("join", token).await;
    let token = before().await;
    store.identities().remove_group_member(&test_origin(), &group, &grace).await.unwrap();
    after("leave", token).await;
    let token = before().await;
    change(&grace, UserChange { password_hash: Some("no password fits this".into()), ..Default::default() }).await;
    after("a new password", token).await;
    let token = before().await;
    change(&grace, UserChange { enabled: Some(false), ..Default::default() }).await;
    change(&grace, UserChange { enabled: Some(true), ..Default::default() }).await;
    after("disabled for a while", token).await;
    assert!(is_accepted(&server, &bystanders).await, "tokens of other users stay valid");
}

/// Signed requests have no token to revoke: the next request is decided by the current policies.
#[tokio::test]
async fn policy_change_applies_to_the_next_request() {
    let server = Server::start().await;
    let grace = server.user("grace").await;
    let signer = server.key_of(&grace).await;
    let list = async || {
        let call = server.call(Method::GET, &format!("/v3/{}/instances", server.tenant.project_id));
        signer.sign(call).send().await.status.as_u16()
    };
    let system = PolicyRef::System("TaurusDBReadOnlyAccessPolicy".into());
    for _ in 0..3 {
        assert_eq!(list().await, 403);
        server
            .store
            .policies()
            .attach_policy(&test_origin(), &system, &Grantee::User(grace.clone()), None)
            .await
            .unwrap();
        assert_eq!(list().await, 200);
        server
            .store
            .policies()
            .detach_policy(&test_origin(), &system, &Grantee::User(grace.clone()), None)
            .await
            .unwrap();
    }
    let change = UserChange { administrator: Some(true), ..Default::default() };
    server.store.identities().update_user(&test_origin(), &grace, &change).await.unwrap();
    assert_eq!(list().await, 200);
}

#[tokio::test]
async fn unreadable_policy_denies_everything() {
    let server = Server::start().await;
    let grace = server.user_with_system("grace", "TaurusDBReadOnlyAccessPolicy").await;
    let signer = server.key_of(&grace).await;
    let list = async || {
        let call = server.call(Method::GET, &format!("/v3/{}/instances", server.tenant.project_id));
        signer.sign(call).send().await.status.as_u16()
    };
    assert_eq!(list().await, 200);
    let domain = &server.tenant.domain_id;
    let broken =
        server.store.policies().put_policy(&test_origin(), domain, "broken", "identity", "{", "").await.unwrap();
    server
        .store
        .policies()
        .attach_policy(&test_origin(), &PolicyRef::Custom(broken), &Grantee::User(grace), None)
        .await
        .unwrap();
    assert_eq!(list().await, 403, "it may be the policy that denied");
}

#[tokio::test]
async fn disabled_project_is_unavailable_to_its_own_domain() {
    let server = Server::start().await;
    let disabled = clew_store::ProjectChange { enabled: Some(false), ..Default::default() };
    let call = || server.sign(server.call(Method::GET, &format!("/v3/{}/instances", server.tenant.project_id)));
    call().send().await.expect_status(200);
    server.store.tenants().update_project(&test_origin(), &server.tenant.project_id, &disabled).await.unwrap();
    call().send().await.expect_error(403, "APIGW.0310");
    let rival = server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
    let eve = server.key_of(&server.user_of(&rival, "eve", true).await).await;
    let theirs = server.call(Method::GET, &format!("/v3/{}/instances", server.tenant.project_id));
    eve.sign(theirs).send().await.expect_error(403, "DBS.280015");
}
