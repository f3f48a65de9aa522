//! Intelligent kill operations: ids, claims and ends.

use std::time::Duration;

use clew_model::{Actor, AuditOrigin, CollectionTaskStatus, InstanceId, NodeId, Pagination};
use clew_store::{AuditFilter, IntelligentKill, IntelligentKillFilter, IntelligentKillRequest, StoreError};
use rstest::rstest;

use crate::database::Database;
use crate::fixture::{Fixture, origin};

const LEASE: Duration = Duration::from_secs(80);
const MAX_AGE: Duration = Duration::from_mins(1);
const QUEUE_LIMIT: u32 = 8;

impl Fixture {
    pub(crate) fn intelligent_kill(&self, instance: &InstanceId, node: &NodeId) -> IntelligentKillRequest {
        let (id, domain_id) = (self.initial_ids.user_id.clone(), self.initial_ids.domain_id.clone());
        let actor = Actor::User { id, name: "admin".into(), domain_id };
        IntelligentKillRequest {
            by: AuditOrigin { actor, peer: Some([192, 0, 2, 7].into()), request_id: "a request".into() },
            project_id: self.initial_ids.project_id.clone(),
            instance_id: instance.clone(),
            node_id: node.clone(),
        }
    }

    async fn claim_kill(&self) -> Option<IntelligentKill> {
        self.store.kills().claim_intelligent_kill(LEASE, MAX_AGE).await.unwrap()
    }
}

#[rstest]
#[tokio::test]
async fn intelligent_kill_is_claimed_and_ended_once(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (instance, node, other) = (InstanceId::generate(), NodeId::generate(), NodeId::generate());
    let new = fixture.intelligent_kill(&instance, &node);
    let mut ids = Vec::new();
    for new in [&new, &new, &fixture.intelligent_kill(&instance, &other)] {
        ids.push(fixture.store.kills().insert_intelligent_kill(new, QUEUE_LIMIT).await.unwrap());
    }
    let times: Vec<i64> = ids.iter().map(|id| id.requested_at_millis()).collect();
    assert_eq!(times, [1_000_000, 1_000_001, 1_000_002], "three requests in the same millisecond");
    let claimed = fixture.claim_kill().await.unwrap();
    assert_eq!((claimed.id, claimed.status), (ids[0], CollectionTaskStatus::Running));
    assert_eq!((claimed.request.by, claimed.request.node_id), (new.by.clone(), node.clone()));
    assert_eq!(fixture.claim_kill().await.unwrap().id, ids[2], "one running kill per node");
    assert!(fixture.claim_kill().await.is_none());

    assert!(fixture.store.kills().finish_intelligent_kill(ids[0], None, 3).await.unwrap());
    assert!(!fixture.store.kills().finish_intelligent_kill(ids[0], Some("again"), 3).await.unwrap());
    assert!(!fixture.store.kills().finish_intelligent_kill(ids[1], None, 0).await.unwrap(), "the kill is not running");
    assert_eq!(fixture.claim_kill().await.unwrap().id, ids[1]);
    assert!(fixture.claim_kill().await.is_none());
    let filter = IntelligentKillFilter { instance_id: instance, node_id: node, from: 1_000_000, to: 1_000_001 };
    let page = Pagination { offset: 0, limit: 10 };
    let (listed, total) = fixture.store.kills().list_intelligent_kills(&filter, page).await.unwrap();
    assert_eq!((listed.len(), total, listed[0].id, listed[0].status), (1, 1, ids[0], CollectionTaskStatus::Finished));
    let (unlisted, total) = fixture
        .store
        .kills()
        .list_intelligent_kills(&IntelligentKillFilter { from: 1_000_001, to: 2_000_000, ..filter }, page)
        .await
        .unwrap();
    assert!(unlisted.is_empty() && total == 0, "running kills are not listed");

    let audit = AuditFilter { operation: Some("EndIntelligentKill".into()), ..AuditFilter::default() };
    let audit = fixture.store.audit().list_audit_rows_after_seq(&audit, 0, 10).await.unwrap();
    assert_eq!((audit.len(), &audit[0].event.origin, &audit[0].event.detail["victims"]), (1, &new.by, &3.into()));
}

#[rstest]
#[tokio::test]
async fn intelligent_kill_with_expired_lease_is_ended_and_never_reclaimed(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (node, other) = (NodeId::generate(), NodeId::generate());
    let new = fixture.intelligent_kill(&InstanceId::generate(), &node);
    let claimed_id = fixture.store.kills().insert_intelligent_kill(&new, QUEUE_LIMIT).await.unwrap();
    assert_eq!(fixture.claim_kill().await.unwrap().id, claimed_id);
    let queued_id = fixture.store.kills().insert_intelligent_kill(&new, QUEUE_LIMIT).await.unwrap();
    fixture.advance_clock(60_000);
    assert!(
        fixture.store.kills().mark_stale_intelligent_kills_failed(MAX_AGE).await.unwrap().is_empty(),
        "60 s are fresh"
    );
    fixture.advance_clock(2);
    assert!(fixture.claim_kill().await.is_none());
    let lost = fixture.store.kills().mark_stale_intelligent_kills_failed(MAX_AGE).await.unwrap();
    assert_eq!(lost.iter().map(|lost| lost.id).collect::<Vec<_>>(), [queued_id]);
    fixture.advance_clock(LEASE.as_millis().try_into().unwrap());
    let lost = fixture.store.kills().mark_stale_intelligent_kills_failed(MAX_AGE).await.unwrap();
    assert_eq!(lost.iter().map(|lost| lost.id).collect::<Vec<_>>(), [claimed_id]);
    let reason = |kill: Option<IntelligentKill>| kill.unwrap().reason.unwrap();
    assert!(reason(fixture.store.kills().find_intelligent_kill(queued_id).await.unwrap()).contains("was not started"));
    assert!(
        reason(fixture.store.kills().find_intelligent_kill(claimed_id).await.unwrap())
            .contains("terminated during the kill")
    );
    assert!(!fixture.store.kills().finish_intelligent_kill(claimed_id, None, 1).await.unwrap(), "too late");

    // If the database is not shared, a process that takes over the data directory need not wait for leases.
    let new = fixture.intelligent_kill(&InstanceId::generate(), &other);
    let next = fixture.store.kills().insert_intelligent_kill(&new, QUEUE_LIMIT).await.unwrap();
    assert_eq!(fixture.claim_kill().await.unwrap().id, next);
    let lock = fixture.store.acquire_data_dir_lock().unwrap();
    assert_eq!(fixture.store.tasks().expire_all_leases(&lock).await.unwrap(), u64::from(!database.is_shared()));
    if database.is_shared() {
        fixture.advance_clock(i64::try_from(LEASE.as_millis()).unwrap());
    }
    assert_eq!(fixture.store.kills().mark_stale_intelligent_kills_failed(MAX_AGE).await.unwrap()[0].id, next);
    assert!(fixture.claim_kill().await.is_none());
}

#[rstest]
#[tokio::test]
async fn queue_per_node_is_limited_and_requester_must_be_a_user(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let new = fixture.intelligent_kill(&InstanceId::generate(), &NodeId::generate());
    fixture.store.kills().insert_intelligent_kill(&new, 1).await.unwrap();
    let full = fixture.store.kills().insert_intelligent_kill(&new, 1).await;
    assert!(matches!(full, Err(StoreError::QueueFull { limit: 1, .. })), "{full:?}");
    assert!(
        fixture
            .store
            .kills()
            .insert_intelligent_kill(&IntelligentKillRequest { by: origin(), ..new }, 9)
            .await
            .is_err()
    );
}
