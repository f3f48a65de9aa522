//! Intelligent kills: named by their moment, taken up once, ended once.

use std::time::Duration;

use clew_model::{Actor, InstanceId, NodeId, Origin, Page, TaskStatus};
use clew_store::{AuditFilter, IntelligentKill, IntelligentKillFilter, NewIntelligentKill, StoreError};

use crate::fixture::{Fixture, by};
use crate::place::SHARED;

const LEASE: Duration = Duration::from_secs(80);
const FRESH: Duration = Duration::from_mins(1);
const LIMIT: u32 = 8;

impl Fixture {
    pub(crate) fn intelligent_kill(&self, instance: &InstanceId, node: &NodeId) -> NewIntelligentKill {
        let (id, domain_id) = (self.founded.user_id.clone(), self.founded.domain_id.clone());
        let actor = Actor::User { id, name: "admin".into(), domain_id };
        NewIntelligentKill {
            by: Origin { actor, peer: Some([192, 0, 2, 7].into()), request_id: "a request".into() },
            project_id: self.founded.project_id.clone(),
            instance_id: instance.clone(),
            node_id: node.clone(),
        }
    }

    async fn take_up(&self) -> Option<IntelligentKill> {
        self.store.claim_intelligent_kill(LEASE, FRESH).await.unwrap()
    }
}

#[tokio::test]
async fn each_is_named_by_its_moment_taken_up_once_and_ended_once() {
    let fixture = Fixture::new().await;
    let (instance, node, other) = (InstanceId::generate(), NodeId::generate(), NodeId::generate());
    let new = fixture.intelligent_kill(&instance, &node);
    let mut ids = Vec::new();
    for new in [&new, &new, &fixture.intelligent_kill(&instance, &other)] {
        ids.push(fixture.store.insert_intelligent_kill(new, LIMIT).await.unwrap());
    }
    let moments: Vec<i64> = ids.iter().map(|id| id.milliseconds()).collect();
    assert_eq!(moments, [1_000_000, 1_000_001, 1_000_002], "three of one millisecond");
    let claimed = fixture.take_up().await.unwrap();
    assert_eq!((claimed.id, claimed.status), (ids[0], TaskStatus::Running));
    assert_eq!((claimed.asked.by, claimed.asked.node_id), (new.by.clone(), node.clone()));
    assert_eq!(fixture.take_up().await.unwrap().id, ids[2], "one of a node at a time");
    assert!(fixture.take_up().await.is_none());

    assert!(fixture.store.end_intelligent_kill(ids[0], None, 3).await.unwrap());
    assert!(!fixture.store.end_intelligent_kill(ids[0], Some("again"), 3).await.unwrap());
    assert!(!fixture.store.end_intelligent_kill(ids[1], None, 0).await.unwrap(), "it does not run");
    assert_eq!(fixture.take_up().await.unwrap().id, ids[1]);
    assert!(fixture.take_up().await.is_none());
    let filter = IntelligentKillFilter { instance_id: instance, node_id: node, from: 1_000_000, to: 1_000_001 };
    let page = Page { offset: 0, limit: 10 };
    let (listed, total) = fixture.store.intelligent_kills(&filter, page).await.unwrap();
    assert_eq!((listed.len(), total, listed[0].id, listed[0].status), (1, 1, ids[0], TaskStatus::Finished));
    let (unlisted, total) = fixture
        .store
        .intelligent_kills(&IntelligentKillFilter { from: 1_000_001, to: 2_000_000, ..filter }, page)
        .await
        .unwrap();
    assert!(unlisted.is_empty() && total == 0, "what has not ended is no history");

    let audit = AuditFilter { operation: Some("EndIntelligentKill".into()), ..AuditFilter::default() };
    let audit = fixture.store.audit(&audit, 0, 10).await.unwrap();
    assert_eq!((audit.len(), &audit[0].event.origin, &audit[0].event.detail["victims"]), (1, &new.by, &3.into()));
}

#[tokio::test]
async fn what_is_lost_is_ended_and_never_taken_up_again() {
    let fixture = Fixture::new().await;
    let (node, other) = (NodeId::generate(), NodeId::generate());
    let new = fixture.intelligent_kill(&InstanceId::generate(), &node);
    let begun = fixture.store.insert_intelligent_kill(&new, LIMIT).await.unwrap();
    assert_eq!(fixture.take_up().await.unwrap().id, begun);
    let waits = fixture.store.insert_intelligent_kill(&new, LIMIT).await.unwrap();
    fixture.pass(60_000);
    assert!(fixture.store.end_lost_intelligent_kills(FRESH).await.unwrap().is_empty(), "60 s are fresh");
    fixture.pass(2);
    assert!(fixture.take_up().await.is_none());
    let lost = fixture.store.end_lost_intelligent_kills(FRESH).await.unwrap();
    assert_eq!(lost.iter().map(|lost| lost.id).collect::<Vec<_>>(), [waits]);
    fixture.pass(LEASE.as_millis().try_into().unwrap());
    let lost = fixture.store.end_lost_intelligent_kills(FRESH).await.unwrap();
    assert_eq!(lost.iter().map(|lost| lost.id).collect::<Vec<_>>(), [begun]);
    let reason = |kill: Option<IntelligentKill>| kill.unwrap().reason.unwrap();
    assert!(reason(fixture.store.intelligent_kill(waits).await.unwrap()).contains("was not begun"));
    assert!(reason(fixture.store.intelligent_kill(begun).await.unwrap()).contains("in the midst"));
    assert!(!fixture.store.end_intelligent_kill(begun, None, 1).await.unwrap(), "too late");

    // Who takes the data directory over need not wait for leases, unless others may be at work.
    let new = fixture.intelligent_kill(&InstanceId::generate(), &other);
    let next = fixture.store.insert_intelligent_kill(&new, LIMIT).await.unwrap();
    assert_eq!(fixture.take_up().await.unwrap().id, next);
    let lock = fixture.store.lock_for_serving().unwrap();
    assert_eq!(fixture.store.end_all_leases(&lock).await.unwrap(), u64::from(!SHARED));
    if SHARED {
        fixture.pass(i64::try_from(LEASE.as_millis()).unwrap());
    }
    assert_eq!(fixture.store.end_lost_intelligent_kills(FRESH).await.unwrap()[0].id, next);
    assert!(fixture.take_up().await.is_none());
}

#[tokio::test]
async fn few_of_a_node_wait_and_only_users_ask() {
    let fixture = Fixture::new().await;
    let new = fixture.intelligent_kill(&InstanceId::generate(), &NodeId::generate());
    fixture.store.insert_intelligent_kill(&new, 1).await.unwrap();
    let full = fixture.store.insert_intelligent_kill(&new, 1).await;
    assert!(matches!(full, Err(StoreError::QueueFull { limit: 1, .. })), "{full:?}");
    assert!(fixture.store.insert_intelligent_kill(&NewIntelligentKill { by: by(), ..new }, 9).await.is_err());
}
