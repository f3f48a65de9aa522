//! The audit after its oldest rows were removed.

use clew_model::{Origin, Outcome};
use clew_store::{AuditFault, AuditProblem};

use crate::fixture::Fixture;

/// Later than the founding, which has the real time.
const LATER: i64 = 100_000_000_000_000;

/// Five old rows and three young ones. With the moment between.
async fn old_and_young() -> (Fixture, i64) {
    let fixture = Fixture::new().await;
    fixture.pass(LATER);
    fixture.record_some(4).await;
    fixture.pass(1000);
    fixture.record_some(3).await;
    (fixture, LATER + 1_001_000)
}

#[tokio::test]
async fn what_is_old_goes_and_the_chain_stays_whole() {
    let (fixture, moment) = old_and_young().await;
    let store = &fixture.store;
    assert_eq!(store.prune_audit(&Origin::clew(), 1000).await.unwrap(), 0);
    assert_eq!(store.prune_audit(&Origin::clew(), moment).await.unwrap(), 5);
    assert_eq!(store.prune_audit(&Origin::clew(), moment).await.unwrap(), 0, "and nothing is written down then");
    let found = store.verify_audit(&[]).await.unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.rows, found.first, found.last), (4, Some(6), Some(9)));
    let last = fixture.audited().await.pop().unwrap();
    assert_eq!((&*last.event.operation, last.event.outcome), ("PruneAudit", Outcome::Done));
    assert_eq!((&last.event.detail["rows"], &last.event.detail["through"]), (&5.into(), &5.into()));
    fixture.record_some(2).await;
    assert!(store.verify_audit(&[]).await.unwrap().is_sound());
    // The first that was kept is missed like any other.
    fixture.sql("DROP TRIGGER audit_is_kept; DELETE FROM audit WHERE seq = 6").await;
    let found = store.verify_audit(&[]).await.unwrap().problems;
    assert_eq!(found, [AuditProblem { position: 6, what: AuditFault::MissingBefore { first: 7 } }]);
}

#[tokio::test]
async fn the_newest_row_stays_even_if_all_are_old() {
    let (fixture, _) = old_and_young().await;
    assert_eq!(fixture.store.prune_audit(&Origin::clew(), i64::MAX).await.unwrap(), 7);
    let found = fixture.store.verify_audit(&[]).await.unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.first, found.last), (Some(8), Some(9)));
}

#[tokio::test]
async fn many_rows_go_in_several_transactions() {
    let (fixture, _) = old_and_young().await;
    fixture.record_at_once(1500).await;
    fixture.pass(1000);
    fixture.record_some(1).await;
    assert_eq!(fixture.store.prune_audit(&Origin::clew(), LATER + 1_002_000).await.unwrap(), 1508);
    let found = fixture.store.verify_audit(&[]).await.unwrap();
    assert!(found.is_sound(), "{found:?}");
    let operations: Vec<_> = fixture.audited().await.into_iter().map(|row| row.event.operation).collect();
    assert_eq!(operations, ["Test", "PruneAudit", "PruneAudit"]);
}

#[tokio::test]
async fn a_row_that_was_put_before_the_oldest_does_not_stop_it() {
    let (fixture, moment) = old_and_young().await;
    fixture
        .sql(
            "DROP TRIGGER audit_only_grows; INSERT INTO audit SELECT -7, at, actor_kind, actor_id, actor_name, \
             actor_domain_id, peer, request_id, operation, domain_id, project_id, instance_id, node_id, target, outcome, \
             code, detail, previous, mac FROM audit WHERE seq = 8",
        )
        .await;
    assert_eq!(fixture.store.prune_audit(&Origin::clew(), moment).await.unwrap(), 6);
    assert!(fixture.store.verify_audit(&[]).await.unwrap().is_sound());
    let last = fixture.audited().await.pop().unwrap().event;
    assert_eq!(last.detail["problems"], serde_json::json!(["row -7 was changed"]));
}

#[tokio::test]
async fn what_was_wrong_with_removed_rows_is_written_down() {
    let (fixture, moment) = old_and_young().await;
    fixture.sql("DROP TRIGGER audit_stays_as_it_is; DROP TRIGGER audit_is_kept; UPDATE audit SET target = 'x' WHERE seq = 2").await;
    fixture.sql("DELETE FROM audit WHERE seq = 4").await;
    assert_eq!(fixture.store.prune_audit(&Origin::clew(), moment).await.unwrap(), 4);
    let found = fixture.store.verify_audit(&[]).await.unwrap();
    assert!(found.is_sound(), "{found:?}");
    let last = fixture.audited().await.pop().unwrap().event;
    assert_eq!(last.outcome, Outcome::Failed);
    assert_eq!(last.detail["problems"], serde_json::json!(["row 2 was changed", "row 4 is missing"]));
}
