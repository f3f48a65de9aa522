//! What processes that share a database tell each other.

use std::net::SocketAddr;
use std::time::Duration;

use clew_model::{Actor, Failure, FailureKind, InstanceId, NodeId, Origin, RequestId, TaskOutcome};
use clew_store::{Location, NewIntelligentKill, Notice, Notices, Store};
use clew_testkit::{DroppingProxy, Traffic};
use sqlx::ConnectOptions;

use crate::fixture::{Fixture, claim};
use crate::place;

const LEASE: Duration = Duration::from_secs(10);

/// The next notice, of those that come to somebody who was told everything before.
async fn next(notices: &mut Notices) -> Notice {
    tokio::time::timeout(Duration::from_mins(1), notices.next()).await.unwrap()
}

impl Fixture {
    async fn queued(&self) -> RequestId {
        let task = self.new_task(&NodeId::generate());
        self.store.insert_task(&task, 9).await.unwrap();
        task.request_id
    }
}

#[tokio::test]
async fn each_is_told_of_what_another_process_queued_ended_and_handed_back() {
    let fixture = Fixture::new().await;
    let other = fixture.open().await.unwrap();
    let mut notices = other.notices().unwrap();
    assert_eq!(next(&mut notices).await, Notice::Listening);

    let id = fixture.queued().await;
    assert_eq!(next(&mut notices).await, Notice::Queued);
    let claimed = claim(&fixture.store, LEASE, 1).await.unwrap().unwrap();
    fixture.store.renew_lease(&id, claimed.fence, LEASE).await.unwrap();
    fixture.store.release_task(&id, claimed.fence).await.unwrap();
    assert_eq!(
        next(&mut notices).await,
        Notice::Queued,
        "that one was taken up, and is held, is nobody else's business"
    );
    let claimed = claim(&fixture.store, LEASE, 1).await.unwrap().unwrap();
    let failed = TaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"));
    fixture.store.end_task(&id, claimed.fence, &failed).await.unwrap();
    assert_eq!(next(&mut notices).await, Notice::Ended(id.clone()));
    assert!(other.task(&id).await.unwrap().unwrap().status.is_final(), "it is there when it is told");

    let actor = Actor::User {
        id: fixture.founded.user_id.clone(),
        name: "admin".into(),
        domain_id: fixture.founded.domain_id.clone(),
    };
    let kill = NewIntelligentKill {
        by: Origin { actor, peer: None, request_id: "a request".into() },
        project_id: fixture.founded.project_id.clone(),
        instance_id: InstanceId::generate(),
        node_id: NodeId::generate(),
    };
    fixture.store.insert_intelligent_kill(&kill, 9).await.unwrap();
    assert_eq!(next(&mut notices).await, Notice::KillQueued);
    // What ends by retention is not an end.
    fixture.store.remove_ended_before(i64::MAX).await.unwrap();
    let id = fixture.queued().await;
    assert_eq!(next(&mut notices).await, Notice::Queued);
    assert!(other.task(&id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_connection_that_ends_is_made_anew() {
    let fixture = Fixture::new().await;
    let mut notices = fixture.store.notices().unwrap();
    assert_eq!(next(&mut notices).await, Notice::Listening);
    let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()";
    fixture.sql(all).await;
    assert_eq!(next(&mut notices).await, Notice::Deaf);
    assert_eq!(next(&mut notices).await, Notice::Listening);
    fixture.queued().await;
    assert_eq!(next(&mut notices).await, Notice::Queued);
}

/// Nobody says that a network was cut: it is noticed because nothing is answered.
#[tokio::test]
async fn a_way_that_was_cut_is_noticed_and_taken_again() {
    let fixture = Fixture::new().await;
    let metadata = place::connect_options(fixture.folder());
    let server = SocketAddr::from(([127, 0, 0, 1], metadata.get_port()));
    let way = DroppingProxy::to(server).await.unwrap();
    let url = metadata.clone().port(way.address().port()).to_url_lossy();
    let location = Location { metadata: Some(url.as_str().parse().unwrap()), ..place::location(fixture.folder()) };
    let far = Store::open(location).await.unwrap();
    let mut notices = far.notices().unwrap();
    assert_eq!(next(&mut notices).await, Notice::Listening);
    way.set(Traffic::Stands);
    fixture.queued().await;
    assert_eq!(next(&mut notices).await, Notice::Deaf);
    way.set(Traffic::Flows);
    assert_eq!(next(&mut notices).await, Notice::Listening);
    fixture.queued().await;
    assert_eq!(next(&mut notices).await, Notice::Queued);
}
