//! Detects a truncated audit log. The remaining chain is intact, so only previously recorded rows reveal the loss.

use std::cell::Cell;

use clew_model::{AuditEvent, AuditOrigin, InstanceId};
use clew_store::{AuditCheckpoint, AuditIntegrityProblem, AuditIntegrityProblemKind, RecordedKillOutcome};
use rstest::rstest;

use super::kills::new_kill;
use super::tampering::NO_TRIGGERS;
use crate::database::Database;
use crate::fixture::{Fixture, origin};

/// Number of rows that remain after the truncation.
const REMAINING_ROWS: i64 = 5;
const NEWEST_SEQ: i64 = 8;

/// Creates an audit log with eight rows, then removes the last three rows and rolls back the head record.
/// Returns the checkpoint from before the removal.
async fn create_truncated_audit(database: Database) -> (Fixture, AuditCheckpoint) {
    let fixture = Fixture::new(database).await;
    fixture.record_events(4).await;
    fixture.sql(format!("{NO_TRIGGERS} CREATE TABLE earlier AS SELECT * FROM audit_ends")).await;
    fixture.advance_clock(500);
    fixture.record_events(3).await;
    let checkpoint = fixture.store.audit().create_audit_checkpoint().await.unwrap();
    assert_eq!((checkpoint.seq, checkpoint.at), (NEWEST_SEQ, 1_000_500));
    assert!(fixture.store.audit().verify_audit_log(std::slice::from_ref(&checkpoint)).await.unwrap().is_intact());
    let removal = format!(
        "DELETE FROM audit WHERE seq > {REMAINING_ROWS}; DELETE FROM audit_ends; INSERT INTO audit_ends SELECT * FROM earlier"
    );
    fixture.sql(removal).await;
    let alone = fixture.open().await.unwrap().audit().verify_audit_log(&[]).await.unwrap();
    assert!(
        alone.is_intact() && alone.last == Some(REMAINING_ROWS),
        "the database alone does not reveal the truncation: {alone:?}"
    );
    (fixture, checkpoint)
}

fn missing_row_problem() -> AuditIntegrityProblem {
    AuditIntegrityProblem {
        position: NEWEST_SEQ,
        fault: AuditIntegrityProblemKind::RecordedRowMissing { at: 1_000_500 },
    }
}

fn replaced_row_problem() -> AuditIntegrityProblem {
    AuditIntegrityProblem {
        position: NEWEST_SEQ,
        fault: AuditIntegrityProblemKind::RecordedRowReplaced { at: 1_000_500 },
    }
}

#[rstest]
#[tokio::test]
async fn running_process_detects_a_truncated_audit(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let (fixture, _) = create_truncated_audit(database).await;
    let store = &fixture.store;
    assert_eq!(store.audit().verify_audit_log(&[]).await.unwrap().problems, [missing_row_problem()]);
    for _ in 0..2 {
        assert_eq!(
            store.audit().detect_audit_truncation().await.unwrap(),
            Some(missing_row_problem()),
            "the loss is reported until it is acknowledged"
        );
    }
    store.audit().acknowledge_lost_audit_rows(&missing_row_problem());
    assert_eq!(store.audit().detect_audit_truncation().await.unwrap(), None);
    // The process still reports the loss after later rows.
    fixture.advance_clock(1);
    fixture.record_events(5).await;
    assert_eq!(store.audit().verify_audit_log(&[]).await.unwrap().problems, [replaced_row_problem()]);
    assert_eq!(store.audit().detect_audit_truncation().await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn rows_appended_after_a_truncation_do_not_conceal_the_loss(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let (fixture, _) = create_truncated_audit(database).await;
    fixture.advance_clock(1);
    fixture.record_events(5).await;
    let store = &fixture.store;
    assert_eq!(store.audit().verify_audit_log(&[]).await.unwrap().problems, [replaced_row_problem()]);
    assert_eq!(
        store.audit().detect_audit_truncation().await.unwrap(),
        Some(missing_row_problem()),
        "the first write detects the loss"
    );
    store.audit().acknowledge_lost_audit_rows(&missing_row_problem());
    assert_eq!(store.audit().detect_audit_truncation().await.unwrap(), None);
    assert_eq!(
        store.audit().verify_audit_log(&[]).await.unwrap().problems,
        [replaced_row_problem()],
        "verification still reports the loss"
    );
}

#[rstest]
#[tokio::test]
async fn rows_of_other_processes_are_not_reported_as_loss(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let other = fixture.open().await.unwrap();
    for _ in 0..3 {
        fixture.record_events(1).await;
        other
            .audit()
            .append_audit_event(&AuditEvent::for_successful_operation(&origin(), "Test", "row"))
            .await
            .unwrap();
    }
    for store in [&fixture.store, &other] {
        assert_eq!(store.audit().detect_audit_truncation().await.unwrap(), None);
        assert!(store.audit().verify_audit_log(&[]).await.unwrap().is_intact());
    }
}

#[rstest]
#[tokio::test]
async fn rows_appended_during_a_verification_are_not_reported_as_loss(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    fixture.record_events(200).await;
    let verified = Cell::new(false);
    let verify = async {
        for _ in 0..10 {
            let found = fixture.store.audit().verify_audit_log(&[]).await.unwrap();
            assert!(found.is_intact(), "{found:?}");
            assert_eq!(fixture.store.audit().detect_audit_truncation().await.unwrap(), None);
        }
        verified.set(true);
    };
    let append = async {
        while !verified.get() {
            fixture.record_events(1).await;
        }
    };
    tokio::join!(verify, append);
}

#[rstest]
#[tokio::test]
async fn truncated_kill_outcomes_are_detected_by_their_process(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    fixture.sql(format!("{NO_TRIGGERS} CREATE TABLE earlier AS SELECT * FROM audit_ends")).await;
    let ids =
        fixture.store.kills().insert_kill_records(&[new_kill(&fixture, &InstanceId::generate(), 7)]).await.unwrap();
    fixture
        .store
        .kills()
        .record_kill_outcomes(&origin(), &[(ids[0], RecordedKillOutcome::Killed, String::new())])
        .await
        .unwrap();
    fixture
        .sql("DELETE FROM audit WHERE seq > 1; DELETE FROM audit_ends; INSERT INTO audit_ends SELECT * FROM earlier")
        .await;
    let fault = AuditIntegrityProblemKind::RecordedRowMissing { at: 1_000_000 };
    let problem = AuditIntegrityProblem { position: 2, fault };
    assert_eq!(fixture.store.audit().verify_audit_log(&[]).await.unwrap().problems, [problem]);
}

#[rstest]
#[tokio::test]
async fn process_without_writes_detects_a_truncated_audit(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    fixture.record_events(4).await;
    fixture.sql(format!("{NO_TRIGGERS} CREATE TABLE earlier AS SELECT * FROM audit_ends")).await;
    fixture.record_events(3).await;
    let reader = fixture.open().await.unwrap();
    assert_eq!(reader.audit().detect_audit_truncation().await.unwrap(), None);
    fixture
        .sql("DELETE FROM audit WHERE seq > 5; DELETE FROM audit_ends; INSERT INTO audit_ends SELECT * FROM earlier")
        .await;
    let found = reader.audit().detect_audit_truncation().await.unwrap().unwrap();
    assert!(
        found.position == NEWEST_SEQ && matches!(found.fault, AuditIntegrityProblemKind::RecordedRowMissing { .. }),
        "{found:?}"
    );
    assert_eq!(reader.audit().verify_audit_log(&[]).await.unwrap().problems, [found]);
}

#[rstest]
#[tokio::test]
async fn checkpoint_detects_a_truncated_audit_in_another_process(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let (fixture, checkpoint) = create_truncated_audit(database).await;
    let later = fixture.open().await.unwrap();
    assert!(later.audit().verify_audit_log(&[]).await.unwrap().is_intact());
    let checkpoint = std::slice::from_ref(&checkpoint);
    assert_eq!(later.audit().verify_audit_log(checkpoint).await.unwrap().problems, [missing_row_problem()]);
    fixture.advance_clock(1);
    fixture.record_events(5).await;
    assert_eq!(later.audit().verify_audit_log(checkpoint).await.unwrap().problems, [replaced_row_problem()]);
    assert_eq!(
        missing_row_problem().to_string(),
        "row 8 is missing, although it was the newest row at 1970-01-01T00:16:40.5Z: the end of the audit log was removed"
    );
}

#[rstest]
#[tokio::test]
async fn rows_removed_by_retention_are_not_reported(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    fixture.advance_clock(100_000_000_000_000);
    fixture.record_events(4).await;
    let old = fixture.store.audit().create_audit_checkpoint().await.unwrap();
    fixture.advance_clock(1000);
    fixture.record_events(1).await;
    let newest = fixture.store.audit().create_audit_checkpoint().await.unwrap();
    let reader = fixture.open().await.unwrap();
    assert_eq!(reader.audit().detect_audit_truncation().await.unwrap(), None);
    // Row 5 is the newest row in the checkpoint and the last removed row.
    assert_eq!(
        fixture
            .store
            .audit()
            .prune_audit_log(&AuditOrigin::for_internal_operation(), 100_000_001_001_000)
            .await
            .unwrap(),
        5
    );
    let found = reader.audit().verify_audit_log(&[old.clone(), newest.clone()]).await.unwrap();
    assert!(found.is_intact(), "{found:?}");
    let forged = AuditCheckpoint { link: newest.link, ..old.clone() };
    let fault = AuditIntegrityProblemKind::RecordedRowReplaced { at: old.at };
    let found = reader.audit().verify_audit_log(std::slice::from_ref(&forged)).await.unwrap();
    assert_eq!(found.problems, [AuditIntegrityProblem { position: 5, fault }]);
    fixture.record_events(2).await;
    fixture.advance_clock(1000);
    fixture.record_events(1).await;
    fixture.store.audit().prune_audit_log(&AuditOrigin::for_internal_operation(), 100_000_001_002_000).await.unwrap();
    assert!(
        reader.audit().verify_audit_log(&[old]).await.unwrap().is_intact(),
        "the checkpoint is older than all remaining rows"
    );
    assert_eq!(reader.audit().detect_audit_truncation().await.unwrap(), None);
}
