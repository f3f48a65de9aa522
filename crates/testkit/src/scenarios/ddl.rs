//! Waits for table metadata locks.

use super::{BOTH, Scenario};
use crate::flavor::Flavor;

pub(super) fn all() -> Vec<Scenario> {
    vec![
        table("ALTER TABLE behind a reader", "a: BEGIN\na: SELECT * FROM t\nb? ALTER TABLE t ADD x INT", "b>a"),
        table(
            "ALTER TABLE behind a writer",
            "a: BEGIN\na: UPDATE t SET v = 1 WHERE id = 1\nb? ALTER TABLE t ADD x INT",
            "b>a",
        ),
        table(
            "a reader behind an ALTER TABLE that waits",
            "a: BEGIN\na: SELECT * FROM t\nb? ALTER TABLE t ADD x INT\nc? SELECT * FROM t",
            "b>a c>b",
        ),
        table("DROP TABLE behind a reader", "a: BEGIN\na: SELECT * FROM t\nb? DROP TABLE t", "b>a"),
        table("RENAME TABLE behind a reader", "a: BEGIN\na: SELECT * FROM t\nb? RENAME TABLE t TO t2", "b>a"),
        table("TRUNCATE TABLE behind a writer", "a: BEGIN\na: DELETE FROM t\nb? TRUNCATE TABLE t", "b>a"),
        table("OPTIMIZE TABLE behind a reader", "a: BEGIN\na: SELECT * FROM t\nb? OPTIMIZE TABLE t", "b>a"),
        table(
            "CREATE TRIGGER behind a writer",
            "a: BEGIN\na: DELETE FROM t\nb? CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @x = 1",
            "b>a",
        ),
        table("LOCK TABLES WRITE, then a reader", "a: LOCK TABLES t WRITE\nb? SELECT * FROM t", "b>a"),
        table("LOCK TABLES READ, then a writer", "a: LOCK TABLES t READ\nb? UPDATE t SET v = 1 WHERE id = 1", "b>a"),
        table("LOCK TABLES WRITE behind a reader", "a: BEGIN\na: SELECT * FROM t\nb? LOCK TABLES t WRITE", "b>a"),
        table(
            "a table that is being made",
            "a~ CREATE TABLE made AS SELECT SLEEP(600) AS x\nb? SELECT * FROM made",
            "b>a",
        ),
        Scenario::new(
            BOTH,
            "a table that its engine locks as a whole",
            "a~ SELECT SLEEP(600) FROM old WHERE v > 0\nb? UPDATE old SET v = 2",
            "b>a",
            "a",
            "table lock",
        ),
    ]
}

/// Scenario whose waiters wait for table metadata, with `a` as the root blocker.
pub(super) fn table(name: &str, script: &str, waits: &str) -> Scenario {
    table_of(BOTH, name, script, waits)
}

pub(super) fn table_of(flavors: &'static [Flavor], name: &str, script: &str, waits: &str) -> Scenario {
    Scenario::new(flavors, name, script, waits, "a", "table metadata")
}
