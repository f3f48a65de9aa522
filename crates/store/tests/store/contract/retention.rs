//! Retention of the audit log.

use clew_model::{AuditOrigin, AuditOutcome};
use clew_store::{AuditIntegrityProblem, AuditIntegrityProblemKind};
use rstest::rstest;

use crate::database::Database;
use crate::fixture::Fixture;

/// Simulated time after the initialization, which uses the real clock.
const AFTER_INITIALIZATION: i64 = 100_000_000_000_000;

/// Creates five old rows and three recent rows. Returns a time between them.
async fn create_old_and_recent_rows(database: Database) -> (Fixture, i64) {
    let fixture = Fixture::new(database).await;
    fixture.advance_clock(AFTER_INITIALIZATION);
    fixture.record_events(4).await;
    fixture.advance_clock(1000);
    fixture.record_events(3).await;
    (fixture, AFTER_INITIALIZATION + 1_001_000)
}

#[rstest]
#[tokio::test]
async fn old_rows_are_removed_and_the_chain_stays_intact(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let (fixture, cutoff) = create_old_and_recent_rows(database).await;
    let store = &fixture.store;
    assert_eq!(store.audit().prune_audit_log(&AuditOrigin::for_internal_operation(), 1000).await.unwrap(), 0);
    assert_eq!(store.audit().prune_audit_log(&AuditOrigin::for_internal_operation(), cutoff).await.unwrap(), 5);
    assert_eq!(
        store.audit().prune_audit_log(&AuditOrigin::for_internal_operation(), cutoff).await.unwrap(),
        0,
        "no event is recorded"
    );
    let found = store.audit().verify_audit_log(&[]).await.unwrap();
    assert!(found.is_intact(), "{found:?}");
    assert_eq!((found.rows, found.first, found.last), (4, Some(6), Some(9)));
    let last = fixture.audit_rows().await.pop().unwrap();
    assert_eq!((&*last.event.operation, last.event.outcome), ("PruneAudit", AuditOutcome::Succeeded));
    assert_eq!((&last.event.detail["rows"], &last.event.detail["through"]), (&5.into(), &5.into()));
    fixture.record_events(2).await;
    assert!(store.audit().verify_audit_log(&[]).await.unwrap().is_intact());
    // The first remaining row is protected like any other row.
    fixture.sql("DROP TRIGGER audit_is_kept; DELETE FROM audit WHERE seq = 6").await;
    let found = store.audit().verify_audit_log(&[]).await.unwrap().problems;
    assert_eq!(
        found,
        [AuditIntegrityProblem { position: 6, fault: AuditIntegrityProblemKind::MissingBefore { first: 7 } }]
    );
}

#[rstest]
#[tokio::test]
async fn newest_row_is_never_removed(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let (fixture, _) = create_old_and_recent_rows(database).await;
    assert_eq!(
        fixture.store.audit().prune_audit_log(&AuditOrigin::for_internal_operation(), i64::MAX).await.unwrap(),
        7
    );
    let found = fixture.store.audit().verify_audit_log(&[]).await.unwrap();
    assert!(found.is_intact(), "{found:?}");
    assert_eq!((found.first, found.last), (Some(8), Some(9)));
}

#[rstest]
#[tokio::test]
async fn many_rows_are_removed_in_several_transactions(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let (fixture, _) = create_old_and_recent_rows(database).await;
    fixture.record_concurrently(1500).await;
    fixture.advance_clock(1000);
    fixture.record_events(1).await;
    assert_eq!(
        fixture
            .store
            .audit()
            .prune_audit_log(&AuditOrigin::for_internal_operation(), AFTER_INITIALIZATION + 1_002_000)
            .await
            .unwrap(),
        1508
    );
    let found = fixture.store.audit().verify_audit_log(&[]).await.unwrap();
    assert!(found.is_intact(), "{found:?}");
    let operations: Vec<_> = fixture.audit_rows().await.into_iter().map(|row| row.event.operation).collect();
    assert_eq!(operations, ["Test", "PruneAudit", "PruneAudit"]);
}

#[rstest]
#[tokio::test]
async fn forged_row_before_the_oldest_row_does_not_block_retention(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let (fixture, cutoff) = create_old_and_recent_rows(database).await;
    fixture
        .sql(
            "DROP TRIGGER audit_only_grows; INSERT INTO audit SELECT -7, at, actor_kind, actor_id, actor_name, \
             actor_domain_id, peer, request_id, operation, domain_id, project_id, instance_id, node_id, target, outcome, \
             code, detail, previous, mac FROM audit WHERE seq = 8",
        )
        .await;
    assert_eq!(fixture.store.audit().prune_audit_log(&AuditOrigin::for_internal_operation(), cutoff).await.unwrap(), 6);
    assert!(fixture.store.audit().verify_audit_log(&[]).await.unwrap().is_intact());
    let last = fixture.audit_rows().await.pop().unwrap().event;
    assert_eq!(last.detail["problems"], serde_json::json!(["row -7 was changed"]));
}

#[rstest]
#[tokio::test]
async fn problems_of_removed_rows_are_recorded(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let (fixture, cutoff) = create_old_and_recent_rows(database).await;
    fixture.sql("DROP TRIGGER audit_stays_as_it_is; DROP TRIGGER audit_is_kept; UPDATE audit SET target = 'x' WHERE seq = 2").await;
    fixture.sql("DELETE FROM audit WHERE seq = 4").await;
    assert_eq!(fixture.store.audit().prune_audit_log(&AuditOrigin::for_internal_operation(), cutoff).await.unwrap(), 4);
    let found = fixture.store.audit().verify_audit_log(&[]).await.unwrap();
    assert!(found.is_intact(), "{found:?}");
    let last = fixture.audit_rows().await.pop().unwrap().event;
    assert_eq!(last.outcome, AuditOutcome::Failed);
    assert_eq!(last.detail["problems"], serde_json::json!(["row 2 was changed", "row 4 is missing"]));
}
