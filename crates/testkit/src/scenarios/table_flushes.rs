//! Lock wait scenarios with `FLUSH TABLES` statements for a single table.

use super::metadata_locks::{metadata_lock_scenario, metadata_lock_scenario_for_flavors};
use super::{LockWaitScenario, MARIADB_ONLY_FLAVORS, MYSQL_ONLY_FLAVORS};

pub(super) fn table_flush_scenarios() -> Vec<LockWaitScenario> {
    vec![
        metadata_lock_scenario(
            "FLUSH TABLES of one WITH READ LOCK, then a writer",
            "a: FLUSH TABLES t WITH READ LOCK\nb? UPDATE t SET v = 1 WHERE id = 1",
            "b>a",
        ),
        metadata_lock_scenario(
            "FLUSH TABLES of one WITH READ LOCK behind a writer, and a writer behind that",
            "a: BEGIN\na: UPDATE t SET v = 1 WHERE id = 1\nb? FLUSH TABLES t WITH READ LOCK\n\
             c? UPDATE t SET v = 1 WHERE id = 5",
            "b>a c>b",
        ),
        LockWaitScenario::new(
            MYSQL_ONLY_FLAVORS,
            "FLUSH TABLES of one WITH READ LOCK behind a statement that runs",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t WITH READ LOCK",
            "b>a",
            "a",
            "table flush",
        ),
        LockWaitScenario::new(
            MYSQL_ONLY_FLAVORS,
            "FLUSH TABLES behind a statement that runs",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t",
            "b>a",
            "a",
            "table flush",
        ),
        LockWaitScenario::new(
            MYSQL_ONLY_FLAVORS,
            "a reader behind a FLUSH TABLES that waits",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t\nc? SELECT * FROM t",
            "b>a c>a",
            "a",
            "table flush",
        ),
        metadata_lock_scenario_for_flavors(
            MARIADB_ONLY_FLAVORS,
            "FLUSH TABLES behind a statement that runs",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t",
            "b>a",
        ),
        metadata_lock_scenario_for_flavors(
            MARIADB_ONLY_FLAVORS,
            "a reader behind a FLUSH TABLES that waits",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t\nc? SELECT * FROM t",
            "b>a c>b",
        ),
    ]
}
