//! Whoever can write the file can drop the triggers. The chain tells, and says where.

use clew_model::AuditEvent;
use clew_store::{AuditFault, AuditProblem, AuditVerification};
use sqlx::{Connection, Row};

use crate::fixture::{Fixture, by};
use crate::place;

pub(crate) const NO_TRIGGERS: &str = "DROP TRIGGER audit_only_grows; DROP TRIGGER audit_stays_as_it_is; DROP TRIGGER audit_is_kept; \
     DROP TRIGGER audit_ends_stay; DROP TRIGGER audit_ends_only_advance;";

/// Rows of an audit that is about to be changed.
const ROWS: i64 = 8;

async fn eight_rows() -> Fixture {
    let fixture = Fixture::new().await;
    let event = AuditEvent {
        code: Some("DBS.1".into()),
        domain_id: Some(fixture.founded.domain_id.clone()),
        ..AuditEvent::done(&by(), "Test", "ro\u{1}w")
    };
    for _ in 1..ROWS {
        fixture.store.record(&event).await.unwrap();
    }
    let found = fixture.store.verify_audit(&[]).await.unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.rows, found.first, found.last), (8, Some(1), Some(ROWS)));
    fixture
}

/// What is found after these statements.
async fn after(statements: &str) -> Vec<AuditProblem> {
    let fixture = eight_rows().await;
    tamper(&fixture, statements).await;
    verify(&fixture).await.problems
}

async fn tamper(fixture: &Fixture, statements: &str) {
    fixture.sql(format!("{NO_TRIGGERS} {statements}")).await;
}

async fn verify(fixture: &Fixture) -> AuditVerification {
    // A process that has not seen the audit before.
    fixture.open().await.unwrap().verify_audit(&[]).await.unwrap()
}

fn at(position: i64, what: AuditFault) -> AuditProblem {
    AuditProblem { position, what }
}

#[tokio::test]
async fn a_changed_column_of_any_row_is_found_at_its_row() {
    let columns = [
        ("at", "at + 1"),
        ("actor_kind", "'clew'"),
        ("actor_id", "'x'"),
        ("actor_name", "'someone else'"),
        ("actor_domain_id", "domain_id"),
        ("peer", "'10.0.0.1'"),
        ("request_id", "'x'"),
        ("operation", "'Tests'"),
        ("domain_id", "NULL"),
        ("project_id", "''"),
        ("instance_id", "'x'"),
        ("node_id", "'x'"),
        ("target", "target || ' '"),
        ("target", place::NO_TEXT.unwrap_or("'x'")),
        ("outcome", "'denied'"),
        ("code", "COALESCE(code, '') || 'x'"),
        ("detail", "'{}'"),
        ("detail", "''"),
        ("previous", "x'00'"),
        ("previous", "(SELECT a.mac FROM audit a WHERE a.seq = 2)"),
        ("mac", "zeroblob(32)"),
        ("mac", "x''"),
        // The same bytes in all, differently cut.
        ("target = substr(target, 1, 2), outcome", "'w\u{1}' || outcome"),
    ];
    let fixture = eight_rows().await;
    tamper(&fixture, "CREATE TABLE kept AS SELECT * FROM audit").await;
    for (column, value) in columns {
        for seq in [1, 4, ROWS] {
            fixture.sql(format!("UPDATE audit SET {column} = {value} WHERE seq = {seq}")).await;
            assert_eq!(verify(&fixture).await.problems, [at(seq, AuditFault::Changed)], "{column} of {seq}");
            fixture.sql("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept").await;
        }
    }
    assert!(verify(&fixture).await.is_sound());
}

#[tokio::test]
async fn every_column_is_part_of_the_row_s_mac() {
    let fixture = eight_rows().await;
    let mut connection = place::connect(fixture.folder()).await;
    let row = sqlx::query("SELECT * FROM audit LIMIT 1").fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.columns().len(), 19, "a new column must be authenticated, and changed in these tests");
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_row_that_is_removed_is_missed_at_its_position() {
    let _kept = place::keep().await;
    for seq in 1..=ROWS {
        let what = match seq {
            1 => AuditFault::MissingBefore { first: 2 },
            ROWS => AuditFault::MissingAfter { last: Some(ROWS - 1) },
            _ => AuditFault::Missing { through: seq },
        };
        assert_eq!(after(&format!("DELETE FROM audit WHERE seq = {seq}")).await, [at(seq, what)], "{seq}");
    }
}

#[tokio::test]
async fn several_rows_that_are_removed_are_missed() {
    let _kept = place::keep().await;
    for (which, found) in [
        ("seq > 5", vec![at(8, AuditFault::MissingAfter { last: Some(5) })]),
        ("seq < 4", vec![at(1, AuditFault::MissingBefore { first: 4 })]),
        ("seq IN (3, 4, 5)", vec![at(3, AuditFault::Missing { through: 5 })]),
        ("seq IN (2, 6)", vec![at(2, AuditFault::Missing { through: 2 }), at(6, AuditFault::Missing { through: 6 })]),
        ("true", vec![at(8, AuditFault::MissingAfter { last: None })]),
    ] {
        assert_eq!(after(&format!("DELETE FROM audit WHERE {which}")).await, found, "{which}");
    }
}

#[tokio::test]
async fn rows_that_trade_places_move_or_are_made_up_are_found() {
    let _kept = place::keep().await;
    for (change, found) in [
        (
            "UPDATE audit SET seq = -3 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; \
             UPDATE audit SET seq = 4 WHERE seq = -3",
            vec![at(3, AuditFault::Changed), at(4, AuditFault::Changed)],
        ),
        (
            "UPDATE audit SET seq = 400 WHERE seq = 4",
            vec![at(4, AuditFault::Missing { through: 4 }), at(400, AuditFault::Changed)],
        ),
        (
            "UPDATE audit SET seq = -4 WHERE seq = 4",
            vec![at(-4, AuditFault::Changed), at(4, AuditFault::Missing { through: 4 })],
        ),
        (
            "INSERT INTO audit SELECT 9, at, actor_kind, actor_id, actor_name, actor_domain_id, peer, request_id, operation, \
             domain_id, project_id, instance_id, node_id, target, outcome, code, detail, previous, mac FROM audit WHERE seq = 8",
            vec![at(9, AuditFault::Changed)],
        ),
        (
            "DELETE FROM audit WHERE seq = 8; UPDATE audit SET seq = 8 WHERE seq = 7",
            vec![at(7, AuditFault::Missing { through: 7 }), at(8, AuditFault::Changed)],
        ),
    ] {
        assert_eq!(after(change).await, found, "{change}");
    }
}

#[tokio::test]
async fn ends_that_are_forged_or_removed_are_found() {
    let _kept = place::keep().await;
    let cut = "DELETE FROM audit WHERE seq = 8; UPDATE audit_ends SET seq = 7, \
         mac = (SELECT mac FROM audit WHERE seq = 7) WHERE name = 'head';";
    let pruned = "DELETE FROM audit WHERE seq < 3; UPDATE audit_ends SET seq = 3, \
         mac = (SELECT previous FROM audit WHERE seq = 3) WHERE name = 'checkpoint';";
    for (change, found) in [
        (cut, vec![at(7, AuditFault::HeadChanged)]),
        ("UPDATE audit_ends SET seal = x'' WHERE name = 'head'", vec![at(8, AuditFault::HeadChanged)]),
        ("UPDATE audit_ends SET mac = zeroblob(32) WHERE name = 'head'", vec![at(8, AuditFault::HeadChanged)]),
        ("DELETE FROM audit_ends WHERE name = 'head'", vec![at(8, AuditFault::HeadChanged)]),
        (pruned, vec![at(3, AuditFault::CheckpointChanged)]),
        ("DELETE FROM audit_ends WHERE name = 'checkpoint'", vec![at(1, AuditFault::CheckpointChanged)]),
        (
            "UPDATE audit_ends SET seq = (SELECT seq FROM audit_ends WHERE name = 'checkpoint'), \
             mac = (SELECT mac FROM audit_ends WHERE name = 'checkpoint'), \
             seal = (SELECT seal FROM audit_ends WHERE name = 'checkpoint') WHERE name = 'head'",
            vec![at(8, AuditFault::HeadChanged)],
        ),
        (
            "UPDATE audit_ends SET seq = h.seq, mac = h.mac, seal = h.seal \
             FROM (SELECT * FROM audit_ends WHERE name = 'head') h WHERE audit_ends.name = 'checkpoint'",
            vec![at(1, AuditFault::CheckpointChanged)],
        ),
        (
            "DELETE FROM audit; DELETE FROM audit_ends",
            vec![at(0, AuditFault::CheckpointChanged), at(0, AuditFault::HeadChanged)],
        ),
    ] {
        assert_eq!(after(change).await, found, "{change}");
    }
}

#[tokio::test]
async fn a_changed_head_is_told_for_ever_though_more_rows_follow() {
    let fixture = eight_rows().await;
    let cut = "DELETE FROM audit WHERE seq > 6; UPDATE audit_ends SET seq = 6, \
         mac = (SELECT mac FROM audit WHERE seq = 6) WHERE name = 'head'";
    tamper(&fixture, cut).await;
    fixture.record_some(3).await;
    let found = verify(&fixture).await;
    assert_eq!((found.problems, found.last), (vec![at(7, AuditFault::AfterChangedHead)], Some(9)));

    let fixture = eight_rows().await;
    tamper(&fixture, "DELETE FROM audit; DELETE FROM audit_ends").await;
    let again = fixture.open().await.unwrap();
    again.record(&AuditEvent::done(&by(), "Test", "row")).await.unwrap();
    let found = again.verify_audit(&[]).await.unwrap();
    assert_eq!(found.problems, [at(1, AuditFault::CheckpointChanged), at(1, AuditFault::AfterChangedHead)]);
}

#[tokio::test]
async fn a_row_of_another_copy_of_the_file_is_found() {
    for (more, found) in [(0, at(9, AuditFault::HeadChanged)), (1, at(10, AuditFault::OutOfOrder))] {
        let fixture = eight_rows().await;
        tamper(&fixture, "CREATE TABLE ends AS SELECT * FROM audit_ends").await;
        fixture.record_some(1).await;
        let back = "CREATE TABLE other AS SELECT * FROM audit WHERE seq = 9; DELETE FROM audit WHERE seq = 9; \
             DELETE FROM audit_ends; INSERT INTO audit_ends SELECT * FROM ends";
        fixture.sql(back).await;
        assert!(verify(&fixture).await.is_sound(), "the whole file was put back: nothing inside can tell");
        fixture.pass(1);
        fixture.record_some(1 + more).await;
        fixture.sql("DELETE FROM audit WHERE seq = 9; INSERT INTO audit SELECT * FROM other").await;
        assert_eq!(verify(&fixture).await.problems, [found]);
    }
}

#[tokio::test]
async fn problems_beyond_the_limit_are_counted() {
    let fixture = eight_rows().await;
    fixture.record_at_once(1100).await;
    tamper(&fixture, "UPDATE audit SET target = 'x'").await;
    let found = verify(&fixture).await;
    assert_eq!((found.rows, found.problems.len(), found.more_problems), (1108, 1000, 108));
    assert!(!found.is_sound());
}

#[tokio::test]
async fn the_triggers_keep_mistakes_out() {
    let fixture = eight_rows().await;
    for (statement, says) in [
        ("UPDATE audit SET target = 'x' WHERE seq = 3", "never changed"),
        ("DELETE FROM audit WHERE seq = 8", "only removed by retention"),
        ("DELETE FROM audit", "only removed by retention"),
        ("INSERT INTO audit SELECT * FROM audit WHERE seq = 3", "comes after all others"),
        ("DELETE FROM audit_ends", "never removed"),
        ("UPDATE audit_ends SET seq = seq - 1", "only advance"),
    ] {
        let refused = fixture.try_sql(statement).await.unwrap_err().to_string();
        assert!(refused.contains(says), "{statement}: {refused}");
    }
    assert!(verify(&fixture).await.is_sound());
}

#[tokio::test]
async fn problems_are_said_in_words() {
    for (problem, says) in [
        (at(3, AuditFault::Changed), "row 3 was changed"),
        (at(3, AuditFault::Missing { through: 3 }), "row 3 is missing"),
        (at(3, AuditFault::Missing { through: 5 }), "rows 3 to 5 are missing"),
        (at(1, AuditFault::MissingBefore { first: 4 }), "rows before 4 are missing, from 1 on"),
        (at(9, AuditFault::MissingAfter { last: Some(7) }), "rows after 7 are missing, up to 9"),
        (at(7, AuditFault::HeadChanged), "the head was changed: rows after 7 may be missing"),
    ] {
        assert_eq!(problem.to_string(), says);
    }
}
