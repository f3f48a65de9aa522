//! Scenarios in which sessions wait for server-wide locks: global read locks, backup locks and user-level locks.

use super::{LockWaitScenario, MARIADB_ONLY, MYSQL_ONLY};
use crate::flavor::Flavor;

pub(super) fn server_wide_lock_scenarios() -> Vec<LockWaitScenario> {
    let mut all = vec![
        LockWaitScenario::new(
            "a user lock",
            "a: SELECT GET_LOCK('nightly', 1)\nb? SELECT GET_LOCK('nightly', 600)\nc? SELECT GET_LOCK('nightly', 600)",
            "user lock",
        )
        .with_expected_waits("b>a c>a", "a"),
        LockWaitScenario::new(
            "LOCK INSTANCE FOR BACKUP, then CREATE TABLE",
            "a: LOCK INSTANCE FOR BACKUP\nb? CREATE TABLE made (x INT)",
            "backup lock",
        )
        .with_flavors(MYSQL_ONLY),
        LockWaitScenario::new(
            "BACKUP STAGE BLOCK_DDL, then CREATE TABLE",
            "a: BACKUP STAGE START\na: BACKUP STAGE FLUSH\na: BACKUP STAGE BLOCK_DDL\nb? ALTER TABLE t ADD x INT",
            "backup lock",
        )
        .with_flavors(MARIADB_ONLY),
        LockWaitScenario::new(
            "BACKUP STAGE BLOCK_COMMIT, then COMMIT",
            "a: BACKUP STAGE START\na: BACKUP STAGE FLUSH\na: BACKUP STAGE BLOCK_DDL\na: BACKUP STAGE BLOCK_COMMIT\n\
             b: BEGIN\nb: UPDATE t SET v = 1\nb? COMMIT",
            "backup lock",
        )
        .with_flavors(MARIADB_ONLY),
    ];
    // MySQL has separate locks for changes and for commits, MariaDB one lock for both.
    for (flavors, global, commit) in
        [(MYSQL_ONLY, "global read lock", "commit lock"), (MARIADB_ONLY, "backup lock", "backup lock")]
    {
        all.extend(global_read_lock_scenarios(flavors, global, commit));
    }
    all
}

fn global_read_lock_scenarios(
    flavors: &'static [Flavor],
    global: &'static str,
    commit: &'static str,
) -> [LockWaitScenario; 4] {
    [
        LockWaitScenario::new(
            "FLUSH TABLES WITH READ LOCK, then a writer",
            "a: FLUSH TABLES WITH READ LOCK\nb? UPDATE t SET v = 1 WHERE id = 1",
            global,
        )
        .with_flavors(flavors),
        LockWaitScenario::new(
            "FLUSH TABLES WITH READ LOCK, then CREATE TABLE",
            "a: FLUSH TABLES WITH READ LOCK\nb? CREATE TABLE made (x INT)",
            global,
        )
        .with_flavors(flavors),
        LockWaitScenario::new(
            "FLUSH TABLES WITH READ LOCK, then COMMIT",
            "b: BEGIN\nb: UPDATE t SET v = 1 WHERE id = 1\na: FLUSH TABLES WITH READ LOCK\nb? COMMIT",
            commit,
        )
        .with_flavors(flavors),
        LockWaitScenario::new(
            "FLUSH TABLES WITH READ LOCK behind LOCK TABLES WRITE",
            "a: LOCK TABLES t WRITE\nb? FLUSH TABLES WITH READ LOCK",
            global,
        )
        .with_flavors(flavors),
    ]
}
