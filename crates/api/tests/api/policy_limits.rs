//! Limits on the number, size and cost of policies.

use std::pin::pin;

use clew_model::UserId;
use clew_store::{Grantee, PolicyLimits, PolicyRef};
use clew_testkit::PostgreSqlServer;
use http::Method;
use serde_json::{Value, json};

use crate::server::{Server, test_origin};

/// Size of each policy, in bytes.
const POLICY_BYTES: usize = 62 << 10;

/// A document of 62 KiB whose patterns almost match names of many `a`.
fn expensive(star: &str) -> Value {
    let pattern = format!("{star}{}b", "a".repeat(31));
    let count = POLICY_BYTES / (pattern.len() + 3);
    json!({
        "Version": "5.0",
        "Statement": [{
            "Effect": "Deny", "Action": ["*"], "Condition": { "StringMatch": { "g:UserName": vec![pattern; count] } }
        }]
    })
}

async fn send_signed(server: &Server, method: Method, path: &str, body: Value) -> crate::answer::Answer {
    let call = server.call(method, &format!("/clew/v1/{path}")).body(body.to_string());
    server.sign(call).send().await
}

async fn excess_policy_is_rejected(server: Server) {
    let user = server.user("grace").await;
    let group =
        server.store.identities().create_group(&test_origin(), &server.tenant.domain_id, "dbas", "").await.unwrap();
    for number in 0..5 {
        let path = format!("policies/p{number}");
        send_signed(&server, Method::PUT, &path, json!({ "document": expensive("*") })).await.expect_status(200);
    }
    let attach = async |number: usize, grantee: Value| {
        send_signed(&server, Method::POST, &format!("policies/p{number}/attachments"), grantee).await
    };
    for number in 0..2 {
        assert_eq!(attach(number, json!({ "user_id": user })).await.status, 204);
        assert_eq!(attach(number + 2, json!({ "group_id": group })).await.status, 204);
    }
    // Four policies are within 256 KiB; the group's policies would make five.
    assert_eq!(attach(4, json!({ "user_id": user })).await.status, 204);
    let join = format!("groups/{group}/members/{user}");
    let message = send_signed(&server, Method::PUT, &join, Value::Null).await.expect_error(409, "IAM.0005");
    assert!(
        message.contains("The policies of grace would exceed the limits (number: 5, maximum 100; total size: 3"),
        "{message}"
    );
    assert!(message.contains("maximum 262144 bytes). Fix: detach or merge policies"), "{message}");
    let detach = format!("policies/p4/attachments/user/{user}");
    assert_eq!(send_signed(&server, Method::DELETE, &detach, Value::Null).await.status, 204);
    assert_eq!(send_signed(&server, Method::PUT, &join, Value::Null).await.status, 204);
    for grantee in [json!({ "user_id": user }), json!({ "group_id": group })] {
        attach(4, grantee).await.expect_error(409, "IAM.0005");
    }
    // The number of policies is limited regardless of size.
    let other = server.user("alan").await;
    let document = json!({ "Version": "5.0", "Statement": [{ "Effect": "Allow", "Action": ["clew:audit:list"] }] });
    for number in 0..=100 {
        let (domain, name) = (&server.tenant.domain_id, format!("small{number}"));
        let policy = server
            .store
            .policies()
            .put_policy(&test_origin(), domain, &name, "identity", &document.to_string(), "")
            .await;
        let (policy, to) = (PolicyRef::Custom(policy.unwrap()), Grantee::User(other.clone()));
        let attached = server.store.policies().attach_policy(&test_origin(), &policy, &to, None).await;
        assert_eq!(attached.is_ok(), number < 100, "{number}");
    }
}

#[tokio::test]
async fn excess_policy_is_rejected_on_sqlite() {
    excess_policy_is_rejected(Server::start().await).await;
}

#[tokio::test]
async fn excess_policy_is_rejected_on_postgresql() {
    let database = PostgreSqlServer::start().await.unwrap();
    excess_policy_is_rejected(Server::start_on_postgresql(&database, |_, _| {}).await).await;
}

/// Starts a server whose store has eighty policies of one user, like a store of an earlier release.
async fn server_with_eighty_policies(star: &str) -> (Server, UserId) {
    let limits = PolicyLimits { policies: 1000, bytes: u32::MAX };
    let server = Server::start_with_store(|store| store.with_policy_limits(limits)).await;
    let user = server.user(&"a".repeat(64)).await;
    server.attach_system("TaurusDBReadOnlyAccessPolicy", &user).await;
    for number in 0..80 {
        let (domain, document) = (&server.tenant.domain_id, expensive(star).to_string());
        let policy = server
            .store
            .policies()
            .put_policy(&test_origin(), domain, &format!("p{number}"), "identity", &document, "")
            .await;
        let (policy, to) = (PolicyRef::Custom(policy.unwrap()), Grantee::User(user.clone()));
        assert!(server.store.policies().attach_policy(&test_origin(), &policy, &to, None).await.unwrap());
    }
    (server, user)
}

/// Sends a request of the user. Fails unless the server responds to administrator requests in the meantime.
async fn assert_others_served_first(server: &Server, user: &UserId) -> crate::answer::Answer {
    let token = server.project_token(user).await;
    let path = format!("/v3/{}/instances", server.tenant.project_id);
    // The first request also reads and parses the policies, which takes longer than the evaluation.
    server.call(Method::GET, &path).token(&token).send().await;
    let mut theirs = pin!(server.call(Method::GET, &path).token(&token).send());
    let others = async {
        for _ in 0..2 {
            assert_eq!(server.get(&path).await.expect_status(200)["total_count"], 1);
        }
    };
    tokio::select! {
        biased;
        answer = &mut theirs => panic!("it delayed the others: {}", answer.text()),
        () = others => theirs.await,
    }
}

// One thread serves all connections, so that an evaluation on it would delay all requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn expensive_policies_are_evaluated_without_delaying_other_requests() {
    let (server, user) = server_with_eighty_policies("*").await;
    assert_eq!(assert_others_served_first(&server, &user).await.expect_status(200)["total_count"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn policies_beyond_the_work_budget_deny_without_delaying_other_requests() {
    let (server, user) = server_with_eighty_policies("*?").await;
    let message = assert_others_served_first(&server, &user).await.expect_error(403, "DBS.280015");
    assert!(message.contains("exceed the evaluation limit"), "{message}");
}
