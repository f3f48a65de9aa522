//! Scenarios with waits for InnoDB locks.

use super::LockWaitScenario;

pub(super) fn row_lock_scenarios() -> Vec<LockWaitScenario> {
    vec![
        row_lock_scenario("a row", "a: BEGIN\na: UPDATE t SET v = 1 WHERE id = 1\nb? UPDATE t SET v = 2 WHERE id = 1"),
        row_lock_scenario(
            "a row that is only read",
            "a: BEGIN\na: SELECT * FROM t WHERE id = 1 LOCK IN SHARE MODE\nb? UPDATE t SET v = 2 WHERE id = 1",
        ),
        // MariaDB assigns no transaction id to either reader.
        LockWaitScenario::new(
            "a row that one of two readers reads",
            "a: BEGIN\na: SELECT * FROM t WHERE id = 1 LOCK IN SHARE MODE\n\
             b: BEGIN\nb: SELECT * FROM s WHERE id = 1 LOCK IN SHARE MODE\n\
             c? UPDATE t SET v = 2 WHERE id = 1",
            "row",
        )
        .with_expected_waits("c>a", "a"),
        row_lock_scenario(
            "a locking read",
            "a: BEGIN\na: UPDATE t SET v = 1 WHERE id = 1\nb: BEGIN\nb? SELECT * FROM t WHERE id = 1 FOR UPDATE",
        ),
        row_lock_scenario(
            "a row found by another index",
            "a: BEGIN\na: UPDATE t SET u = 101 WHERE id = 1\nb? DELETE FROM t WHERE v = 10",
        ),
        row_lock_scenario(
            "a gap",
            "a: BEGIN\na: SELECT * FROM t WHERE id BETWEEN 6 AND 9 FOR UPDATE\nb? INSERT INTO t VALUES (7, 7, 7)",
        ),
        row_lock_scenario(
            "the gap behind the last row",
            "a: BEGIN\na: SELECT * FROM t WHERE id > 20 FOR UPDATE\nb? INSERT INTO t VALUES (30, 3, 3)",
        ),
        row_lock_scenario(
            "a unique key that another inserts",
            "a: BEGIN\na: INSERT INTO t VALUES (7, 7, 7)\nb? INSERT INTO t VALUES (8, 8, 7)",
        ),
        // An insert with an unknown number of rows holds the auto-increment lock until the statement completes.
        LockWaitScenario::new(
            "numbers that a statement gives its rows",
            "a~ INSERT INTO numbered (v) SELECT id + SLEEP(IF(id > 1, 600, 0)) FROM t\nb? INSERT INTO numbered (v) VALUES (1)",
            "table lock of InnoDB",
        ),
        row_lock_scenario(
            "a parent that is being deleted",
            "a: BEGIN\na: DELETE FROM parent WHERE id = 1\nb? INSERT INTO child VALUES (1, 1)",
        ),
        row_lock_scenario(
            "a parent that a child was just given",
            "a: BEGIN\na: INSERT INTO child VALUES (1, 1)\nb? DELETE FROM parent WHERE id = 1",
        ),
    ]
}

fn row_lock_scenario(name: &str, script: &str) -> LockWaitScenario {
    LockWaitScenario::new(name, script, "row")
}
