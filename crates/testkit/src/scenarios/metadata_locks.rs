//! Scenarios in which sessions wait for metadata locks on tables or for a MyISAM table lock.

use super::LockWaitScenario;

pub(super) fn metadata_lock_scenarios() -> Vec<LockWaitScenario> {
    vec![
        metadata_lock_scenario(
            "ALTER TABLE behind a reader",
            "a: BEGIN\na: SELECT * FROM t\nb? ALTER TABLE t ADD x INT",
        ),
        metadata_lock_scenario(
            "ALTER TABLE behind a writer",
            "a: BEGIN\na: UPDATE t SET v = 1 WHERE id = 1\nb? ALTER TABLE t ADD x INT",
        ),
        metadata_lock_scenario(
            "a reader behind an ALTER TABLE that waits",
            "a: BEGIN\na: SELECT * FROM t\nb? ALTER TABLE t ADD x INT\nc? SELECT * FROM t",
        )
        .with_expected_waits("b>a c>b", "a"),
        metadata_lock_scenario("DROP TABLE behind a reader", "a: BEGIN\na: SELECT * FROM t\nb? DROP TABLE t"),
        metadata_lock_scenario("RENAME TABLE behind a reader", "a: BEGIN\na: SELECT * FROM t\nb? RENAME TABLE t TO t2"),
        metadata_lock_scenario("TRUNCATE TABLE behind a writer", "a: BEGIN\na: DELETE FROM t\nb? TRUNCATE TABLE t"),
        metadata_lock_scenario("OPTIMIZE TABLE behind a reader", "a: BEGIN\na: SELECT * FROM t\nb? OPTIMIZE TABLE t"),
        metadata_lock_scenario(
            "CREATE TRIGGER behind a writer",
            "a: BEGIN\na: DELETE FROM t\nb? CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @x = 1",
        ),
        metadata_lock_scenario("LOCK TABLES WRITE, then a reader", "a: LOCK TABLES t WRITE\nb? SELECT * FROM t"),
        metadata_lock_scenario(
            "LOCK TABLES READ, then a writer",
            "a: LOCK TABLES t READ\nb? UPDATE t SET v = 1 WHERE id = 1",
        ),
        metadata_lock_scenario(
            "LOCK TABLES WRITE behind a reader",
            "a: BEGIN\na: SELECT * FROM t\nb? LOCK TABLES t WRITE",
        ),
        metadata_lock_scenario(
            "a table that is being made",
            "a~ CREATE TABLE made AS SELECT SLEEP(600) AS x\nb? SELECT * FROM made",
        ),
        LockWaitScenario::new(
            "a table that its engine locks as a whole",
            "a~ SELECT SLEEP(600) FROM old WHERE v > 0\nb? UPDATE old SET v = 2",
            "table lock",
        ),
    ]
}

pub(super) fn metadata_lock_scenario(name: &str, script: &str) -> LockWaitScenario {
    LockWaitScenario::new(name, script, "table metadata")
}
