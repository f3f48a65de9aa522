//! Changes apply to the next request in spite of caches.

use clew_model::{CollectionTaskOutcome, Failure, FailureKind};
use clew_store::{Grantee, PolicyRef, ProjectChange, Store, UserChange};
use http::Method;
use serde_json::json;

use crate::answer::Answer;
use crate::server::{Server, test_origin};
use crate::test_users::Signer;

const POLICY: &str = "TaurusDB ReadOnlyAccess";

/// A change between two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    KeyDisabled,
    KeyRemoved,
    UserDisabled,
    UserRemoved,
    PolicyDetached,
    GroupLeft,
    PolicyDenies,
    ProjectDisabled,
    InstanceRemoved,
    KeyLocked,
    TaskEnded,
}

use Change::{
    GroupLeft, InstanceRemoved, KeyDisabled, KeyLocked, KeyRemoved, PolicyDenies, PolicyDetached, ProjectDisabled,
    TaskEnded, UserDisabled, UserRemoved,
};

/// Changes with the status of the next request.
const ALL: [(Change, u16); 11] = [
    (KeyDisabled, 401),
    (KeyRemoved, 401),
    (UserDisabled, 401),
    (UserRemoved, 401),
    (PolicyDetached, 403),
    (GroupLeft, 403),
    (PolicyDenies, 403),
    (ProjectDisabled, 403),
    (InstanceRemoved, 404),
    (KeyLocked, 401),
    (TaskEnded, 200),
];

/// A server with a user who may read the status of a collection.
struct Setup {
    server: Server,
    signer: Signer,
    path: String,
}

impl Setup {
    async fn new(change: Change) -> Self {
        let server = Server::start().await;
        let (store, domain) = (&server.store, &server.tenant.domain_id);
        let user = server.user("grace").await;
        let group = store.identities().create_group(&test_origin(), domain, "dbas", "").await.unwrap();
        if change == GroupLeft {
            store.identities().add_group_member(&test_origin(), &group, &user).await.unwrap();
            store
                .policies()
                .attach_policy(&test_origin(), &PolicyRef::System(POLICY.into()), &Grantee::Group(group), None)
                .await
                .unwrap();
        } else {
            server.attach_system(POLICY, &user).await;
        }
        let signer = server.key_of(&user).await;
        let claimed = server.add_running().await;
        Self { path: server.status_of(&claimed.task.request.request_id), signer, server }
    }

    async fn send(&self) -> Answer {
        self.signer.sign(self.server.call(Method::GET, &self.path)).send().await
    }
}

/// Applies the change through the server's store or another store.
async fn apply_change(setup: &Setup, store: &Store, change: Change) {
    let Setup { server, signer, path } = setup;
    let (domain, project) = (&server.tenant.domain_id, &server.tenant.project_id);
    let done = match change {
        KeyDisabled => store.identities().set_access_key_enabled(&test_origin(), &signer.key, false).await,
        KeyRemoved => store.identities().remove_access_key(&test_origin(), &signer.key).await,
        UserDisabled => {
            let what = UserChange { enabled: Some(false), ..UserChange::default() };
            store.identities().update_user(&test_origin(), &signer.user, &what).await
        }
        UserRemoved => store.identities().remove_user(&test_origin(), &signer.user).await,
        PolicyDetached => {
            let from = Grantee::User(signer.user.clone());
            store.policies().detach_policy(&test_origin(), &PolicyRef::System(POLICY.into()), &from, None).await
        }
        GroupLeft => {
            let group = store.identities().list_groups(domain).await.unwrap().remove(0).id;
            store.identities().remove_group_member(&test_origin(), &group, &signer.user).await
        }
        PolicyDenies => {
            let statement = json!([{ "Effect": "Deny", "Action": ["*"] }]);
            let document = json!({ "Version": "5.0", "Statement": statement }).to_string();
            let policy =
                store.policies().put_policy(&test_origin(), domain, "stop", "identity", &document, "").await.unwrap();
            store
                .policies()
                .attach_policy(&test_origin(), &PolicyRef::Custom(policy), &Grantee::User(signer.user.clone()), None)
                .await
        }
        ProjectDisabled => {
            let what = ProjectChange { enabled: Some(false), ..ProjectChange::default() };
            store.tenants().update_project(&test_origin(), project, &what).await
        }
        InstanceRemoved => store.instances().remove_instance(&test_origin(), project, &server.instance.id).await,
        KeyLocked => {
            // The requests come from a known address of the user.
            let subject = format!("address:127.0.0.1 key:{}", signer.key);
            let mut locked = None;
            for _ in 0..5 {
                locked = store.lockouts().record_auth_failure(&subject).await.unwrap();
            }
            Ok(locked.is_some())
        }
        TaskEnded => {
            let id = path.rsplit_once('=').unwrap().1.parse().unwrap();
            let outcome = CollectionTaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"));
            store.tasks().complete_task(&id, 1, &outcome).await
        }
    };
    assert!(done.unwrap(), "{change:?} changed nothing");
}

async fn check_change(change: Change, status: u16, by_another_store: bool) {
    let setup = Setup::new(change).await;
    for _ in 0..3 {
        assert_eq!(setup.send().await.expect_status(200)["status"], "running", "{change:?}");
    }
    let other_store;
    let store = if by_another_store {
        other_store = Store::open(setup.server.store.data_dir()).await.unwrap();
        &other_store
    } else {
        &setup.server.store
    };
    apply_change(&setup, store, change).await;
    let after = setup.send().await;
    assert_eq!(after.status, status, "{change:?} by another store: {by_another_store}: {}", after.text());
    if change == TaskEnded {
        assert_eq!(after.json()["status"], "error");
    }
}

#[tokio::test]
async fn change_by_this_server_applies_to_the_next_request() {
    for (change, status) in ALL {
        check_change(change, status, false).await;
    }
}

#[tokio::test]
async fn change_by_another_store_applies_to_the_next_request() {
    for (change, status) in ALL {
        check_change(change, status, true).await;
    }
}

/// A request that began before the change is rejected too.
#[tokio::test]
async fn change_during_a_body_upload_applies_to_the_request() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    for removed in ["key", "token"] {
        let server = Server::start().await;
        let user = server.user_with_system("grace", "TaurusDB FullAccess").await;
        let signer = server.key_of(&user).await;
        let call = server.call(Method::POST, &server.sessions("")).header("content-type", "application/json");
        let call = call.header("content-length", "2").body("{}");
        let token = server.project_token(&user).await;
        let call = if removed == "key" { signer.sign(call) } else { call.token(&token) };
        let call = call.header("host", &server.address.to_string());
        let headers: Vec<_> = call.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("POST {} HTTP/1.1\r\nconnection: close\r\n{}", server.sessions(""), headers.concat());
        let mut connection = server.connect().await;
        // After a response to another request, the server has read and authenticated this request's head.
        connection.write_all(format!("{head}\r\n{{").as_bytes()).await.unwrap();
        server.get("/v3/auth/domains").await;
        tokio::task::yield_now().await;
        if removed == "key" {
            assert!(server.store.identities().remove_access_key(&test_origin(), &signer.key).await.unwrap());
        } else {
            assert!(
                server
                    .store
                    .identities()
                    .revoke_token(&test_origin(), &clew_iam::token::hash_token(&token))
                    .await
                    .unwrap()
            );
        }
        connection.write_all(b"}").await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{removed}: {answer}");
    }
}
