//! The audit chain detects tampering. With write access to the database, an attacker can drop the triggers.

use clew_model::AuditEvent;
use clew_store::{AuditIntegrityProblem, AuditIntegrityProblemKind, AuditVerification};
use rstest::rstest;

use crate::backend::{Connection, MetadataServer};
use crate::database::Database;
use crate::fixture::{Fixture, origin};

pub(crate) const NO_TRIGGERS: &str = "DROP TRIGGER audit_only_grows; DROP TRIGGER audit_stays_as_it_is; DROP TRIGGER audit_is_kept; \
     DROP TRIGGER audit_ends_stay; DROP TRIGGER audit_ends_only_advance;";

/// Number of rows before the tampering.
const ROWS: i64 = 8;

async fn create_audit_with_eight_rows(server: &MetadataServer) -> Fixture {
    let fixture = Fixture::on_server(server).await;
    let event = AuditEvent {
        code: Some("DBS.1".into()),
        domain_id: Some(fixture.initial_ids.domain_id.clone()),
        ..AuditEvent::for_successful_operation(&origin(), "Test", "ro\u{1}w")
    };
    for _ in 1..ROWS {
        fixture.store.audit().append_audit_event(&event).await.unwrap();
    }
    let found = fixture.store.audit().verify_audit_log(&[]).await.unwrap();
    assert!(found.is_intact(), "{found:?}");
    assert_eq!((found.rows, found.first, found.last), (8, Some(1), Some(ROWS)));
    fixture
}

/// Executes the statements and returns the detected problems.
async fn verify_after_tampering(server: &MetadataServer, statements: &str) -> Vec<AuditIntegrityProblem> {
    let fixture = create_audit_with_eight_rows(server).await;
    tamper(&fixture, statements).await;
    verify(&fixture).await.problems
}

async fn tamper(fixture: &Fixture, statements: &str) {
    fixture.sql(format!("{NO_TRIGGERS} {statements}")).await;
}

async fn verify(fixture: &Fixture) -> AuditVerification {
    // A new process has no recorded audit rows.
    fixture.open().await.unwrap().audit().verify_audit_log(&[]).await.unwrap()
}

fn problem_at(position: i64, what: AuditIntegrityProblemKind) -> AuditIntegrityProblem {
    AuditIntegrityProblem { position, fault: what }
}

#[rstest]
#[tokio::test]
async fn changed_column_is_detected_at_its_row(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
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
        ("target", database.invalid_text().unwrap_or("'x'")),
        ("outcome", "'denied'"),
        ("code", "COALESCE(code, '') || 'x'"),
        ("detail", "'{}'"),
        ("detail", "''"),
        ("previous", "x'00'"),
        ("previous", "(SELECT a.mac FROM audit a WHERE a.seq = 2)"),
        ("mac", "zeroblob(32)"),
        ("mac", "x''"),
        // The concatenated bytes are equal, but the boundaries differ.
        ("target = substr(target, 1, 2), outcome", "'w\u{1}' || outcome"),
    ];
    let fixture = create_audit_with_eight_rows(&MetadataServer::start(database).await).await;
    tamper(&fixture, "CREATE TABLE kept AS SELECT * FROM audit").await;
    for (column, value) in columns {
        for seq in [1, 4, ROWS] {
            fixture.sql(format!("UPDATE audit SET {column} = {value} WHERE seq = {seq}")).await;
            assert_eq!(
                verify(&fixture).await.problems,
                [problem_at(seq, AuditIntegrityProblemKind::Changed)],
                "{column} of {seq}"
            );
            fixture.sql("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept").await;
        }
    }
    assert!(verify(&fixture).await.is_intact());
}

#[rstest]
#[tokio::test]
async fn mac_covers_every_column(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = create_audit_with_eight_rows(&MetadataServer::start(database).await).await;
    let columns = Connection::open(fixture.folder()).await.count_columns("audit").await;
    assert_eq!(columns, 19, "a new column must be authenticated, and changed in these tests");
}

#[rstest]
#[tokio::test]
async fn removed_row_is_detected_at_its_position(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let server = MetadataServer::start(database).await;
    for seq in 1..=ROWS {
        let what = match seq {
            1 => AuditIntegrityProblemKind::MissingBefore { first: 2 },
            ROWS => AuditIntegrityProblemKind::MissingAfter { last: Some(ROWS - 1) },
            _ => AuditIntegrityProblemKind::Missing { through: seq },
        };
        assert_eq!(
            verify_after_tampering(&server, &format!("DELETE FROM audit WHERE seq = {seq}")).await,
            [problem_at(seq, what)],
            "{seq}"
        );
    }
}

#[rstest]
#[tokio::test]
async fn several_removed_rows_are_detected(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let server = MetadataServer::start(database).await;
    for (condition, found) in [
        ("seq > 5", vec![problem_at(8, AuditIntegrityProblemKind::MissingAfter { last: Some(5) })]),
        ("seq < 4", vec![problem_at(1, AuditIntegrityProblemKind::MissingBefore { first: 4 })]),
        ("seq IN (3, 4, 5)", vec![problem_at(3, AuditIntegrityProblemKind::Missing { through: 5 })]),
        (
            "seq IN (2, 6)",
            vec![
                problem_at(2, AuditIntegrityProblemKind::Missing { through: 2 }),
                problem_at(6, AuditIntegrityProblemKind::Missing { through: 6 }),
            ],
        ),
        ("true", vec![problem_at(8, AuditIntegrityProblemKind::MissingAfter { last: None })]),
    ] {
        assert_eq!(
            verify_after_tampering(&server, &format!("DELETE FROM audit WHERE {condition}")).await,
            found,
            "{condition}"
        );
    }
}

#[rstest]
#[tokio::test]
async fn swapped_moved_or_forged_rows_are_detected(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let server = MetadataServer::start(database).await;
    for (change, found) in [
        (
            "UPDATE audit SET seq = -3 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; \
             UPDATE audit SET seq = 4 WHERE seq = -3",
            vec![problem_at(3, AuditIntegrityProblemKind::Changed), problem_at(4, AuditIntegrityProblemKind::Changed)],
        ),
        (
            "UPDATE audit SET seq = 400 WHERE seq = 4",
            vec![
                problem_at(4, AuditIntegrityProblemKind::Missing { through: 4 }),
                problem_at(400, AuditIntegrityProblemKind::Changed),
            ],
        ),
        (
            "UPDATE audit SET seq = -4 WHERE seq = 4",
            vec![
                problem_at(-4, AuditIntegrityProblemKind::Changed),
                problem_at(4, AuditIntegrityProblemKind::Missing { through: 4 }),
            ],
        ),
        (
            "INSERT INTO audit SELECT 9, at, actor_kind, actor_id, actor_name, actor_domain_id, peer, request_id, operation, \
             domain_id, project_id, instance_id, node_id, target, outcome, code, detail, previous, mac FROM audit WHERE seq = 8",
            vec![problem_at(9, AuditIntegrityProblemKind::Changed)],
        ),
        (
            "DELETE FROM audit WHERE seq = 8; UPDATE audit SET seq = 8 WHERE seq = 7",
            vec![
                problem_at(7, AuditIntegrityProblemKind::Missing { through: 7 }),
                problem_at(8, AuditIntegrityProblemKind::Changed),
            ],
        ),
    ] {
        assert_eq!(verify_after_tampering(&server, change).await, found, "{change}");
    }
}

#[rstest]
#[tokio::test]
async fn forged_or_removed_end_records_are_detected(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let server = MetadataServer::start(database).await;
    let truncate = "DELETE FROM audit WHERE seq = 8; UPDATE audit_ends SET seq = 7, \
         mac = (SELECT mac FROM audit WHERE seq = 7) WHERE name = 'head';";
    let pruned = "DELETE FROM audit WHERE seq < 3; UPDATE audit_ends SET seq = 3, \
         mac = (SELECT previous FROM audit WHERE seq = 3) WHERE name = 'checkpoint';";
    for (change, found) in [
        (truncate, vec![problem_at(7, AuditIntegrityProblemKind::HeadChanged)]),
        (
            "UPDATE audit_ends SET seal = x'' WHERE name = 'head'",
            vec![problem_at(8, AuditIntegrityProblemKind::HeadChanged)],
        ),
        (
            "UPDATE audit_ends SET mac = zeroblob(32) WHERE name = 'head'",
            vec![problem_at(8, AuditIntegrityProblemKind::HeadChanged)],
        ),
        ("DELETE FROM audit_ends WHERE name = 'head'", vec![problem_at(8, AuditIntegrityProblemKind::HeadChanged)]),
        (pruned, vec![problem_at(3, AuditIntegrityProblemKind::CheckpointChanged)]),
        (
            "DELETE FROM audit_ends WHERE name = 'checkpoint'",
            vec![problem_at(1, AuditIntegrityProblemKind::CheckpointChanged)],
        ),
        (
            "UPDATE audit_ends SET seq = (SELECT seq FROM audit_ends WHERE name = 'checkpoint'), \
             mac = (SELECT mac FROM audit_ends WHERE name = 'checkpoint'), \
             seal = (SELECT seal FROM audit_ends WHERE name = 'checkpoint') WHERE name = 'head'",
            vec![problem_at(8, AuditIntegrityProblemKind::HeadChanged)],
        ),
        (
            "UPDATE audit_ends SET seq = h.seq, mac = h.mac, seal = h.seal \
             FROM (SELECT * FROM audit_ends WHERE name = 'head') h WHERE audit_ends.name = 'checkpoint'",
            vec![problem_at(1, AuditIntegrityProblemKind::CheckpointChanged)],
        ),
        (
            "DELETE FROM audit; DELETE FROM audit_ends",
            vec![
                problem_at(0, AuditIntegrityProblemKind::CheckpointChanged),
                problem_at(0, AuditIntegrityProblemKind::HeadChanged),
            ],
        ),
    ] {
        assert_eq!(verify_after_tampering(&server, change).await, found, "{change}");
    }
}

#[rstest]
#[tokio::test]
async fn changed_head_is_reported_after_later_rows(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = create_audit_with_eight_rows(&MetadataServer::start(database).await).await;
    let truncate = "DELETE FROM audit WHERE seq > 6; UPDATE audit_ends SET seq = 6, \
         mac = (SELECT mac FROM audit WHERE seq = 6) WHERE name = 'head'";
    tamper(&fixture, truncate).await;
    fixture.record_events(3).await;
    let found = verify(&fixture).await;
    assert_eq!(
        (found.problems, found.last),
        (vec![problem_at(7, AuditIntegrityProblemKind::AfterChangedHead)], Some(9))
    );

    let fixture = create_audit_with_eight_rows(&MetadataServer::start(database).await).await;
    tamper(&fixture, "DELETE FROM audit; DELETE FROM audit_ends").await;
    let again = fixture.open().await.unwrap();
    again.audit().append_audit_event(&AuditEvent::for_successful_operation(&origin(), "Test", "row")).await.unwrap();
    let found = again.audit().verify_audit_log(&[]).await.unwrap();
    assert_eq!(
        found.problems,
        [
            problem_at(1, AuditIntegrityProblemKind::CheckpointChanged),
            problem_at(1, AuditIntegrityProblemKind::AfterChangedHead)
        ]
    );
}

#[rstest]
#[tokio::test]
async fn row_of_another_copy_is_detected(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let server = MetadataServer::start(database).await;
    for (more, found) in [
        (0, problem_at(9, AuditIntegrityProblemKind::HeadChanged)),
        (1, problem_at(10, AuditIntegrityProblemKind::OutOfOrder)),
    ] {
        let fixture = create_audit_with_eight_rows(&server).await;
        tamper(&fixture, "CREATE TABLE ends AS SELECT * FROM audit_ends").await;
        fixture.record_events(1).await;
        let back = "CREATE TABLE other AS SELECT * FROM audit WHERE seq = 9; DELETE FROM audit WHERE seq = 9; \
             DELETE FROM audit_ends; INSERT INTO audit_ends SELECT * FROM ends";
        fixture.sql(back).await;
        assert!(verify(&fixture).await.is_intact(), "a rollback of the entire database is not detectable");
        fixture.advance_clock(1);
        fixture.record_events(1 + more).await;
        fixture.sql("DELETE FROM audit WHERE seq = 9; INSERT INTO audit SELECT * FROM other").await;
        assert_eq!(verify(&fixture).await.problems, [found]);
    }
}

#[rstest]
#[tokio::test]
async fn problems_above_the_maximum_are_counted(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = create_audit_with_eight_rows(&MetadataServer::start(database).await).await;
    fixture.record_concurrently(1100).await;
    tamper(&fixture, "UPDATE audit SET target = 'x'").await;
    let found = verify(&fixture).await;
    assert_eq!((found.rows, found.problems.len(), found.more_problems), (1108, 1000, 108));
    assert!(!found.is_intact());
}

#[rstest]
#[tokio::test]
async fn triggers_reject_accidental_changes(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = create_audit_with_eight_rows(&MetadataServer::start(database).await).await;
    for (statement, message) in [
        ("UPDATE audit SET target = 'x' WHERE seq = 3", "never changed"),
        ("DELETE FROM audit WHERE seq = 8", "only removed by retention"),
        ("DELETE FROM audit", "only removed by retention"),
        ("INSERT INTO audit SELECT * FROM audit WHERE seq = 3", "comes after all others"),
        ("DELETE FROM audit_ends", "never removed"),
        ("UPDATE audit_ends SET seq = seq - 1", "only advance"),
    ] {
        let refused = fixture.try_sql(statement).await.unwrap_err().to_string();
        assert!(refused.contains(message), "{statement}: {refused}");
    }
    assert!(verify(&fixture).await.is_intact());
}

#[test]
fn problems_have_readable_messages() {
    for (problem, message) in [
        (problem_at(3, AuditIntegrityProblemKind::Changed), "row 3 was changed"),
        (problem_at(3, AuditIntegrityProblemKind::Missing { through: 3 }), "row 3 is missing"),
        (problem_at(3, AuditIntegrityProblemKind::Missing { through: 5 }), "rows 3 to 5 are missing"),
        (problem_at(1, AuditIntegrityProblemKind::MissingBefore { first: 4 }), "rows before 4 are missing, from 1 on"),
        (problem_at(9, AuditIntegrityProblemKind::MissingAfter { last: Some(7) }), "rows after 7 are missing, up to 9"),
        (
            problem_at(7, AuditIntegrityProblemKind::HeadChanged),
            "the head record was changed: rows after 7 may be missing",
        ),
    ] {
        assert_eq!(problem.to_string(), message);
    }
}
