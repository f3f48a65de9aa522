//! MariaDB without pending requests: `metadata_lock_info` lists only granted locks, so requests are inferred.

use clew_diagnose::lock_waits::LockSnapshot;

use crate::builder::{ObservedBuilder, assert_waits};

const METADATA_WAIT: &str = "Waiting for table metadata lock";

fn without_requests() -> LockSnapshot {
    LockSnapshot::default()
}

#[test]
fn alter_and_queued_readers_are_inferred() {
    let graph = assert_waits(
        &without_requests()
            .session(1, "Sleep", "", 900, "")
            .session(2, "Query", METADATA_WAIT, 60, "alter table orders add x int")
            .session(3, "Query", METADATA_WAIT, 50, "select * from `shop`.`orders` where id = 1")
            .granted_lock(1, "Table metadata lock", "shop.orders", "MDL_SHARED_READ")
            .granted_lock(1, "Table metadata lock", "shop.items", "MDL_SHARED_READ")
            .granted_lock(2, "Table metadata lock", "shop.orders", "MDL_SHARED_UPGRADABLE"),
        &[(2, 1), (3, 2)],
    );
    assert!(graph.waits.iter().all(|wait| wait.inferred));
    assert!(graph.unexplained.is_empty());
}

#[test]
fn table_backup_and_user_lock_waits_are_inferred() {
    assert_waits(
        &without_requests()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", METADATA_WAIT, 9, "select * from orders")
            .granted_lock(1, "Table metadata lock", "shop.orders", "MDL_SHARED_NO_READ_WRITE"),
        &[(2, 1)],
    );
    assert_waits(
        &without_requests()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "Waiting for backup lock", 9, "update orders set a = 1")
            .granted_lock(1, "Backup lock", "", "MDL_BACKUP_FTWRL2"),
        &[(2, 1)],
    );
    assert_waits(
        &without_requests()
            .session(1, "Sleep", "", 90, "")
            .session(4, "Sleep", "", 90, "")
            .session(2, "Query", "User lock", 9, "select get_lock('Nightly', 9)")
            .granted_lock(1, "User lock", "nightly.", "MDL_SHARED_NO_WRITE")
            .granted_lock(4, "User lock", "daily.", "MDL_SHARED_NO_WRITE"),
        &[(2, 1)],
    );
}

#[test]
fn names_in_literals_and_other_schemas_are_ignored() {
    let graph = assert_waits(
        &without_requests()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", METADATA_WAIT, 9, "insert into other.orders values ('orders')")
            .granted_lock(1, "Table metadata lock", "shop.orders", "MDL_SHARED_NO_READ_WRITE"),
        &[],
    );
    assert_eq!(graph.unexplained.len(), 1);
    assert!(graph.unexplained[0].why.english.contains("does not list pending lock requests"));
}

/// If the server lists requests, the graph infers none, because a session state may be older than the locks.
#[test]
fn requests_are_not_inferred_if_the_server_lists_them() {
    let mut locks = without_requests()
        .session(1, "Sleep", "", 900, "")
        .session(2, "Query", METADATA_WAIT, 60, "alter table orders add x int")
        .granted_lock(1, "TABLE", "shop.orders", "SHARED_READ");
    assert_waits(&locks, &[(2, 1)]);
    locks.reports_pending = true;
    assert_waits(&locks, &[]);
}
