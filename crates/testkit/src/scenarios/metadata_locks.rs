//! Scenarios in which sessions wait for metadata locks on tables.

use super::{LockWaitScenario, MYSQL_AND_MARIADB_FLAVORS};
use crate::flavor::Flavor;

pub(super) fn metadata_lock_scenarios() -> Vec<LockWaitScenario> {
    vec![
        metadata_lock_scenario(
            "ALTER TABLE behind a reader",
            "a: BEGIN\na: SELECT * FROM t\nb? ALTER TABLE t ADD x INT",
            "b>a",
        ),
        metadata_lock_scenario(
            "ALTER TABLE behind a writer",
            "a: BEGIN\na: UPDATE t SET v = 1 WHERE id = 1\nb? ALTER TABLE t ADD x INT",
            "b>a",
        ),
        metadata_lock_scenario(
            "a reader behind an ALTER TABLE that waits",
            "a: BEGIN\na: SELECT * FROM t\nb? ALTER TABLE t ADD x INT\nc? SELECT * FROM t",
            "b>a c>b",
        ),
        metadata_lock_scenario("DROP TABLE behind a reader", "a: BEGIN\na: SELECT * FROM t\nb? DROP TABLE t", "b>a"),
        metadata_lock_scenario(
            "RENAME TABLE behind a reader",
            "a: BEGIN\na: SELECT * FROM t\nb? RENAME TABLE t TO t2",
            "b>a",
        ),
        metadata_lock_scenario(
            "TRUNCATE TABLE behind a writer",
            "a: BEGIN\na: DELETE FROM t\nb? TRUNCATE TABLE t",
            "b>a",
        ),
        metadata_lock_scenario(
            "OPTIMIZE TABLE behind a reader",
            "a: BEGIN\na: SELECT * FROM t\nb? OPTIMIZE TABLE t",
            "b>a",
        ),
        metadata_lock_scenario(
            "CREATE TRIGGER behind a writer",
            "a: BEGIN\na: DELETE FROM t\nb? CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @x = 1",
            "b>a",
        ),
        metadata_lock_scenario("LOCK TABLES WRITE, then a reader", "a: LOCK TABLES t WRITE\nb? SELECT * FROM t", "b>a"),
        metadata_lock_scenario(
            "LOCK TABLES READ, then a writer",
            "a: LOCK TABLES t READ\nb? UPDATE t SET v = 1 WHERE id = 1",
            "b>a",
        ),
        metadata_lock_scenario(
            "LOCK TABLES WRITE behind a reader",
            "a: BEGIN\na: SELECT * FROM t\nb? LOCK TABLES t WRITE",
            "b>a",
        ),
        metadata_lock_scenario(
            "a table that is being made",
            "a~ CREATE TABLE made AS SELECT SLEEP(600) AS x\nb? SELECT * FROM made",
            "b>a",
        ),
        LockWaitScenario::new(
            MYSQL_AND_MARIADB_FLAVORS,
            "a table that its engine locks as a whole",
            "a~ SELECT SLEEP(600) FROM old WHERE v > 0\nb? UPDATE old SET v = 2",
            "b>a",
            "a",
            "table lock",
        ),
    ]
}

/// Session `a` is the root blocker.
pub(super) fn metadata_lock_scenario(name: &str, script: &str, waits: &str) -> LockWaitScenario {
    metadata_lock_scenario_for_flavors(MYSQL_AND_MARIADB_FLAVORS, name, script, waits)
}

pub(super) fn metadata_lock_scenario_for_flavors(
    flavors: &'static [Flavor],
    name: &str,
    script: &str,
    waits: &str,
) -> LockWaitScenario {
    LockWaitScenario::new(flavors, name, script, waits, "a", "table metadata")
}
