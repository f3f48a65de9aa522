//! Login backoff after refused logins.

use clew_model::{Failure, FailureKind, Instance, Node, NodeId};
use clew_store::{LoginPermitDecision, LoginTrigger, Store};
use rstest::rstest;

use crate::database::Database;
use crate::fixture::{Fixture, new_instance, origin};

const MINUTE: i64 = 60_000;

async fn instance(fixture: &Fixture) -> Instance {
    let urls = ["mysql://clew:old@10.0.0.5/", "mysql://clew:old@10.0.0.6/"];
    fixture
        .store
        .instances()
        .add_instance(&origin(), new_instance(&fixture.initial_ids.project_id, "shop", &urls))
        .await
        .unwrap()
}

async fn node(store: &Store, id: &NodeId) -> Node {
    store.instances().find_node_with_password(id).await.unwrap().unwrap()
}

fn new_refusal(detail: &str) -> Failure {
    Failure::new(FailureKind::AccessDenied, detail)
}

async fn request_permit(store: &Store, node: &NodeId, cause: LoginTrigger) -> Option<u32> {
    match store.instances().request_login_permit(node, cause).await.unwrap() {
        LoginPermitDecision::Granted { refusals } => Some(refusals),
        LoginPermitDecision::Deferred(_) => None,
    }
}

#[rstest]
#[tokio::test]
async fn refused_logins_back_off_across_processes(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let node = node(&fixture.store, &instance(&fixture).await.nodes[0].id).await;
    assert_eq!(request_permit(&fixture.store, &node.id, LoginTrigger::Automatic).await, Some(0));
    fixture.store.instances().record_login_refusal(&node, 0, &new_refusal("error 1045")).await.unwrap();
    // The node also refuses a concurrent login.
    fixture.store.instances().record_login_refusal(&node, 0, &new_refusal("error 1045")).await.unwrap();
    for (refusals, delay) in [(1, MINUTE / 2), (2, MINUTE), (3, 2 * MINUTE), (4, 4 * MINUTE)] {
        let backoff = fixture.store.instances().find_login_backoff(&node.id).await.unwrap().unwrap();
        assert_eq!(
            (backoff.refusals, backoff.retry_at - backoff.refused_at, &*backoff.reason),
            (refusals, delay, "error 1045")
        );
        fixture.advance_clock(delay - 1);
        assert_eq!(request_permit(&fixture.store, &node.id, LoginTrigger::Automatic).await, None);
        fixture.advance_clock(1);
        assert_eq!(request_permit(&fixture.store, &node.id, LoginTrigger::Automatic).await, Some(refusals));
        assert_eq!(
            request_permit(&fixture.store, &node.id, LoginTrigger::Automatic).await,
            None,
            "only one login is permitted"
        );
        fixture.store.instances().record_login_refusal(&node, refusals, &new_refusal("error 1045")).await.unwrap();
    }
    fixture.store.instances().clear_login_backoff(&node.id).await.unwrap();
    assert_eq!(request_permit(&fixture.store, &node.id, LoginTrigger::Automatic).await, Some(0));
}

#[rstest]
#[tokio::test]
async fn requested_login_retries_after_its_own_delay(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let node = node(&fixture.store, &instance(&fixture).await.nodes[0].id).await;
    fixture.store.instances().record_login_refusal(&node, 0, &new_refusal("error 1045")).await.unwrap();
    assert_eq!(request_permit(&fixture.store, &node.id, LoginTrigger::Requested).await, None);
    fixture.advance_clock(10_000);
    assert_eq!(request_permit(&fixture.store, &node.id, LoginTrigger::Automatic).await, None);
    assert_eq!(request_permit(&fixture.store, &node.id, LoginTrigger::Requested).await, Some(1));
    assert_eq!(request_permit(&fixture.store, &node.id, LoginTrigger::Requested).await, None);
}

#[rstest]
#[tokio::test]
async fn new_credentials_end_the_back_off(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let (store, shop) = (&fixture.store, instance(&fixture).await);
    let old = [node(store, &shop.nodes[0].id).await, node(store, &shop.nodes[1].id).await];
    for node in &old {
        store.instances().record_login_refusal(node, 0, &new_refusal("error 1045")).await.unwrap();
    }
    let new = "mysql://clew:new@10.0.0.5/".parse().unwrap();
    let (project, foreign) = (&shop.project_id, NodeId::generate());
    assert!(!store.instances().set_node_url(&origin(), project, &shop.id, &foreign, &new).await.unwrap());
    assert!(store.instances().set_node_url(&origin(), project, &shop.id, &old[0].id, &new).await.unwrap());
    assert_eq!(request_permit(store, &old[0].id, LoginTrigger::Automatic).await, Some(0));
    // A login that used the previous password is refused after the change.
    store.instances().record_login_refusal(&old[0], 0, &new_refusal("error 1045")).await.unwrap();
    assert_eq!(request_permit(store, &old[0].id, LoginTrigger::Automatic).await, Some(0));
    let still: Vec<NodeId> =
        store.instances().list_login_backoffs(&shop.id).await.unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(still, [old[1].id.clone()]);
    let event = fixture.audit_rows().await.into_iter().find(|row| row.event.operation == "ChangeNode").unwrap();
    let url = event.event.detail["url"].as_str().unwrap();
    assert!(url.starts_with("mysql://clew@10.0.0.5"), "{url}");
}

#[rstest]
#[tokio::test]
async fn clock_set_back_does_not_extend_the_back_off(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let node = node(&fixture.store, &instance(&fixture).await.nodes[0].id).await;
    fixture.store.instances().record_login_refusal(&node, 0, &new_refusal("error 1045")).await.unwrap();
    fixture.advance_clock(-24 * 60 * MINUTE);
    assert_eq!(request_permit(&fixture.store, &node.id, LoginTrigger::Automatic).await, Some(1));
}
