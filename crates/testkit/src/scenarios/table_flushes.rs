//! Lock wait scenarios for `FLUSH TABLES` statements that name one table.

use super::metadata_locks::metadata_lock_scenario;
use super::{LockWaitScenario, MARIADB_ONLY, MYSQL_ONLY};

pub(super) fn table_flush_scenarios() -> Vec<LockWaitScenario> {
    vec![
        metadata_lock_scenario(
            "FLUSH TABLES of one WITH READ LOCK, then a writer",
            "a: FLUSH TABLES t WITH READ LOCK\nb? UPDATE t SET v = 1 WHERE id = 1",
        ),
        metadata_lock_scenario(
            "FLUSH TABLES of one WITH READ LOCK behind a writer, and a writer behind that",
            "a: BEGIN\na: UPDATE t SET v = 1 WHERE id = 1\nb? FLUSH TABLES t WITH READ LOCK\n\
             c? UPDATE t SET v = 1 WHERE id = 5",
        )
        .with_expected_waits("b>a c>b", "a"),
        LockWaitScenario::new(
            "FLUSH TABLES of one WITH READ LOCK behind a statement that runs",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t WITH READ LOCK",
            "table flush",
        )
        .with_flavors(MYSQL_ONLY),
        LockWaitScenario::new(
            "FLUSH TABLES behind a statement that runs",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t",
            "table flush",
        )
        .with_flavors(MYSQL_ONLY),
        LockWaitScenario::new(
            "a reader behind a FLUSH TABLES that waits",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t\nc? SELECT * FROM t",
            "table flush",
        )
        .with_flavors(MYSQL_ONLY)
        .with_expected_waits("b>a c>a", "a"),
        metadata_lock_scenario(
            "FLUSH TABLES behind a statement that runs",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t",
        )
        .with_flavors(MARIADB_ONLY),
        metadata_lock_scenario(
            "a reader behind a FLUSH TABLES that waits",
            "a~ SELECT SLEEP(600) FROM t\nb? FLUSH TABLES t\nc? SELECT * FROM t",
        )
        .with_flavors(MARIADB_ONLY)
        .with_expected_waits("b>a c>b", "a"),
    ]
}
