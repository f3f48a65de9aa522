//! Notifications between processes that share a database.

use std::net::SocketAddr;
use std::time::Duration;

use clew_model::{Actor, AuditOrigin, CollectionTaskOutcome, Failure, FailureKind, InstanceId, NodeId, RequestId};
use clew_store::{IntelligentKillRequest, Store, StoreEvent, StoreEventReceiver, StoreLocation};
use clew_testkit::{FaultInjectionProxy, TrafficMode};
use sqlx::ConnectOptions;

use crate::backend;
use crate::database::Database;
use crate::fixture::{Fixture, claim};

const LEASE: Duration = Duration::from_secs(10);

/// Returns the next notification.
async fn next(notices: &mut StoreEventReceiver) -> StoreEvent {
    tokio::time::timeout(Duration::from_mins(1), notices.next()).await.unwrap()
}

impl Fixture {
    async fn queue_any_task(&self) -> RequestId {
        let task = self.new_task(&NodeId::generate());
        self.store.tasks().enqueue_task(&task, 9).await.unwrap();
        task.request_id
    }
}

#[tokio::test]
async fn changes_of_another_process_are_notified() {
    let fixture = Fixture::new(Database::PostgreSql).await;
    let other = fixture.open().await.unwrap();
    let mut notices = other.subscribe_to_events().unwrap();
    assert_eq!(next(&mut notices).await, StoreEvent::Connected);

    let id = fixture.queue_any_task().await;
    assert_eq!(next(&mut notices).await, StoreEvent::TaskQueued);
    let claimed = claim(&fixture.store, LEASE, 1).await.unwrap().unwrap();
    fixture.store.tasks().renew_lease(&id, claimed.fence, LEASE).await.unwrap();
    fixture.store.tasks().release_task(&id, claimed.fence).await.unwrap();
    assert_eq!(next(&mut notices).await, StoreEvent::TaskQueued, "claims and renewals are not notified");
    let claimed = claim(&fixture.store, LEASE, 1).await.unwrap().unwrap();
    let failed = CollectionTaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"));
    fixture.store.tasks().complete_task(&id, claimed.fence, &failed).await.unwrap();
    assert_eq!(next(&mut notices).await, StoreEvent::TaskEnded(id.clone()));
    assert!(
        other.tasks().find_task(&id).await.unwrap().unwrap().status.is_final(),
        "the end is visible when it is notified"
    );

    let actor = Actor::User {
        id: fixture.initial_ids.user_id.clone(),
        name: "admin".into(),
        domain_id: fixture.initial_ids.domain_id.clone(),
    };
    let kill = IntelligentKillRequest {
        by: AuditOrigin { actor, peer: None, request_id: "a request".into() },
        project_id: fixture.initial_ids.project_id.clone(),
        instance_id: InstanceId::generate(),
        node_id: NodeId::generate(),
    };
    fixture.store.kills().insert_intelligent_kill(&kill, 9).await.unwrap();
    assert_eq!(next(&mut notices).await, StoreEvent::IntelligentKillQueued);
    // Removal by retention sends no notification.
    fixture.store.tasks().remove_tasks_ended_before(i64::MAX).await.unwrap();
    let id = fixture.queue_any_task().await;
    assert_eq!(next(&mut notices).await, StoreEvent::TaskQueued);
    assert!(other.tasks().find_task(&id).await.unwrap().is_some());
}

#[tokio::test]
async fn terminated_connection_is_restored() {
    let fixture = Fixture::new(Database::PostgreSql).await;
    let mut notices = fixture.store.subscribe_to_events().unwrap();
    assert_eq!(next(&mut notices).await, StoreEvent::Connected);
    let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()";
    fixture.sql(all).await;
    assert_eq!(next(&mut notices).await, StoreEvent::Disconnected);
    assert_eq!(next(&mut notices).await, StoreEvent::Connected);
    fixture.queue_any_task().await;
    assert_eq!(next(&mut notices).await, StoreEvent::TaskQueued);
}

/// A network partition causes no error, so keepalive queries must detect it.
#[tokio::test]
async fn network_partition_is_detected_and_the_connection_restored() {
    let fixture = Fixture::new(Database::PostgreSql).await;
    let metadata = backend::postgresql_options(fixture.folder());
    let server = SocketAddr::from(([127, 0, 0, 1], metadata.get_port()));
    let proxy = FaultInjectionProxy::start(server).await.unwrap();
    let url = metadata.clone().port(proxy.address().port()).to_url_lossy();
    let location =
        StoreLocation { metadata_url: Some(url.as_str().parse().unwrap()), ..backend::location(fixture.folder()) };
    let remote = Store::open(location).await.unwrap();
    let mut notices = remote.subscribe_to_events().unwrap();
    assert_eq!(next(&mut notices).await, StoreEvent::Connected);
    proxy.set_traffic_mode(TrafficMode::Stall);
    fixture.queue_any_task().await;
    assert_eq!(next(&mut notices).await, StoreEvent::Disconnected);
    proxy.set_traffic_mode(TrafficMode::Forward);
    assert_eq!(next(&mut notices).await, StoreEvent::Connected);
    fixture.queue_any_task().await;
    assert_eq!(next(&mut notices).await, StoreEvent::TaskQueued);
}
