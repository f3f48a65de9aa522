//! Each kind of wait as listed by MySQL 9.7.4 and MariaDB 10.11.19.

use clew_diagnose::lock_waits::{LockResourceKind, MetadataLockObject, MetadataLockObjectKind, WaitParticipant};

use crate::builder::{ObservedBuilder, assert_waits, observed, root_counts};

const METADATA_WAIT: &str = "Waiting for table metadata lock";

#[test]
fn row_lock() {
    let graph = assert_waits(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "updating", 30, "update orders set a = 1 where id = 42")
            .transaction(101, 1, "RUNNING")
            .transaction(102, 2, "LOCK WAIT")
            .row_wait(102, 101),
        &[(2, 1)],
    );
    assert_eq!(root_counts(&graph), [(vec![1], 1, 1)]);
    let wait = &graph.waits[0];
    assert_eq!((&wait.on.kind, &*wait.wanted), (&LockResourceKind::Row, "X,REC_NOT_GAP"));
    assert_eq!(wait.on.data.as_deref(), Some("42"));
    assert_eq!(wait.seconds, Some(102 % 60), "the wait time of the transaction, not the time in the state");
    assert_eq!(graph.idle_root_blocker_ids(), [1]);
    assert_eq!(graph.participant_detail(wait.blocker).unwrap().transaction.as_ref().unwrap().transaction.id, 101);
}

#[test]
fn flush_tables_with_read_lock_of_mysql() {
    let graph = assert_waits(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "Waiting for global read lock", 30, "insert into orders values (1)")
            .session(3, "Query", "Waiting for commit lock", 20, "commit")
            .granted_lock(1, "GLOBAL", "", "SHARED")
            .granted_lock(1, "COMMIT", "", "SHARED")
            .granted_lock(3, "GLOBAL", "", "INTENTION_EXCLUSIVE")
            .pending_lock(2, "GLOBAL", "", "INTENTION_EXCLUSIVE")
            .pending_lock(3, "COMMIT", "", "INTENTION_EXCLUSIVE"),
        &[(2, 1), (3, 1)],
    );
    assert_eq!(graph.waits[0].on.kind, LockResourceKind::Metadata(MetadataLockObjectKind::Global));
    assert_eq!(graph.waits[0].held.as_deref(), Some("SHARED"));
}

#[test]
fn flush_tables_with_read_lock_of_mariadb() {
    assert_waits(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "Waiting for backup lock", 30, "insert into orders values (1)")
            .granted_lock(1, "BACKUP", "", "BACKUP_FTWRL1")
            .pending_lock(2, "BACKUP", "", "BACKUP_TRANS_DML"),
        &[(2, 1)],
    );
}

#[test]
fn backup_locks() {
    assert_waits(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "Waiting for backup lock", 30, "create table x (a int)")
            .granted_lock(1, "BACKUP LOCK", "", "SHARED")
            .granted_lock(3, "BACKUP LOCK", "", "SHARED")
            .pending_lock(2, "BACKUP LOCK", "", "INTENTION_EXCLUSIVE"),
        &[(2, 1), (2, 3)],
    );
    assert_waits(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "Waiting for backup lock", 30, "create table x (a int)")
            .granted_lock(1, "BACKUP", "", "BACKUP_BLOCK_DDL")
            .granted_lock(3, "BACKUP", "", "BACKUP_TRANS_DML")
            .pending_lock(2, "BACKUP", "", "BACKUP_DDL"),
        &[(2, 1)],
    );
}

#[test]
fn lock_tables() {
    assert_waits(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", METADATA_WAIT, 30, "select * from orders")
            .granted_lock(1, "TABLE", "shop.orders", "SHARED_NO_READ_WRITE")
            .granted_lock(1, "GLOBAL", "", "INTENTION_EXCLUSIVE")
            .pending_lock(2, "TABLE", "shop.orders", "SHARED_READ"),
        &[(2, 1)],
    );
}

#[test]
fn user_locks() {
    let locks = |mode: &str| {
        observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "User lock", 30, "select get_lock('nightly', 60)")
            .session(3, "Query", "User lock", 20, "select get_lock('nightly', 60)")
            .granted_lock(1, "USER LEVEL LOCK", ".nightly", mode)
            .granted_lock(1, "USER LEVEL LOCK", ".other", mode)
            .pending_lock(2, "USER LEVEL LOCK", ".nightly", mode)
            .pending_lock(3, "USER LEVEL LOCK", ".nightly", mode)
    };
    let graph = assert_waits(&locks("EXCLUSIVE"), &[(2, 1), (3, 1)]);
    assert_eq!(graph.waits[0].on.name.as_deref(), Some("nightly"));
    assert_waits(&locks("SHARED_NO_WRITE"), &[(2, 1), (3, 1)]);
}

#[test]
fn readers_queue_behind_a_waiting_alter() {
    let graph = assert_waits(
        &observed()
            .session(1, "Sleep", "", 900, "")
            .session(2, "Query", METADATA_WAIT, 60, "alter table orders add x int")
            .session(3, "Query", METADATA_WAIT, 50, "select * from orders")
            .session(4, "Query", "", 50, "select 1 from information_schema.tables")
            .granted_lock(1, "TABLE", "shop.orders", "SHARED_WRITE")
            .granted_lock(1, "TABLE", "shop.orders", "SHARED_READ")
            .granted_lock(2, "TABLE", "shop.orders", "SHARED_UPGRADABLE")
            .granted_lock(4, "TABLE", "shop.orders", "SHARED_HIGH_PRIO")
            .pending_lock(2, "TABLE", "shop.orders", "EXCLUSIVE")
            .pending_lock(3, "TABLE", "shop.orders", "SHARED_READ"),
        &[(2, 1), (2, 4), (3, 2)],
    );
    assert_eq!(graph.waits[0].held.as_deref(), Some("SHARED_WRITE"), "the wait names the stronger of two locks");
    assert!(graph.waits[2].queued, "the reader waits for a request, not for a lock");
    assert_eq!(root_counts(&graph), [(vec![1], 2, 0), (vec![4], 2, 0)]);
    assert_eq!(graph.find_root_blockers(graph.waits[2].waiter).len(), 2);
    assert!(graph.find_root_blockers(graph.waits[0].blocker).is_empty());
}

#[test]
fn drop_database_waits_for_its_tables() {
    assert_waits(
        &observed()
            .session(1, "Sleep", "", 900, "")
            .session(2, "Query", METADATA_WAIT, 60, "drop database shop")
            .granted_lock(1, "TABLE", "shop.orders", "SHARED_READ")
            .granted_lock(2, "SCHEMA", "shop.", "EXCLUSIVE")
            .pending_lock(2, "TABLE", "shop.orders", "EXCLUSIVE")
            .session(3, "Query", "Waiting for schema metadata lock", 9, "create table shop.n (a int)")
            .pending_lock(3, "SCHEMA", "shop.", "INTENTION_EXCLUSIVE"),
        &[(2, 1), (3, 2)],
    );
}

#[test]
fn stored_procedure() {
    assert_waits(
        &observed()
            .session(1, "Query", "User sleep", 90, "call slow()")
            .session(2, "Query", "Waiting for stored procedure metadata lock", 60, "drop procedure slow")
            .granted_lock(1, "PROCEDURE", "shop.slow", "SHARED")
            .granted_lock(3, "FUNCTION", "shop.slow", "SHARED")
            .pending_lock(2, "PROCEDURE", "shop.slow", "EXCLUSIVE"),
        &[(2, 1)],
    );
}

/// MySQL lists no request for a flush. A running statement keeps its tables open; an idle transaction does not.
#[test]
fn table_flush_waits_for_running_statements() {
    let graph = assert_waits(
        &observed()
            .session(1, "Query", "User sleep", 90, "select sleep(100) from orders")
            .session(2, "Sleep", "", 90, "")
            .session(3, "Query", "Waiting for table flush", 60, "flush tables orders")
            .session(4, "Query", "Waiting for table flush", 50, "select count(*) from orders")
            .session(5, "Sleep", "", 90, "")
            .session(6, "Query", "", 9, "select * from items")
            .granted_lock(1, "TABLE", "shop.orders", "SHARED_READ")
            .granted_lock(2, "TABLE", "shop.orders", "SHARED_READ")
            .granted_lock(4, "TABLE", "shop.orders", "SHARED_READ")
            .granted_lock(5, "TABLE", "shop.orders", "SHARED_READ_ONLY")
            .granted_lock(6, "TABLE", "shop.items", "SHARED_READ"),
        &[(3, 1), (3, 5), (4, 1), (4, 5)],
    );
    assert_eq!(graph.waits[0].on.kind, LockResourceKind::TableFlush);
    assert!(graph.waits[0].inferred);
}

#[test]
fn flush_of_all_tables_waits_for_every_running_statement() {
    assert_waits(
        &observed()
            .session(1, "Query", "User sleep", 90, "select sleep(100) from orders")
            .session(3, "Query", "Waiting for table flush", 60, "flush tables with read lock")
            .session(6, "Query", "", 9, "select * from items")
            .granted_lock(1, "TABLE", "shop.orders", "SHARED_READ")
            .granted_lock(6, "TABLE", "shop.items", "SHARED_READ"),
        &[(3, 1), (3, 6)],
    );
}

#[test]
fn table_level_lock_of_the_engine() {
    let graph = assert_waits(
        &observed()
            .session(1, "Query", "User sleep", 90, "select sleep(100) from old")
            .session(2, "Query", "Waiting for table level lock", 60, "update old set a = 1")
            .session(3, "Query", "Waiting for table level lock", 60, "update old set a = 2")
            .session(4, "Sleep", "", 60, "")
            .granted_lock(1, "TABLE", "shop.old", "SHARED_READ")
            .granted_lock(2, "TABLE", "shop.old", "SHARED_WRITE")
            .granted_lock(3, "TABLE", "shop.old", "SHARED_WRITE")
            .granted_lock(4, "TABLE", "shop.old", "SHARED_WRITE"),
        &[(2, 1), (3, 1)],
    );
    assert_eq!(graph.waits[0].on.kind, LockResourceKind::TableLevelLock);
}

#[test]
fn readers_of_a_table_do_not_wait_for_readers() {
    assert_waits(
        &observed()
            .session(1, "Query", "User sleep", 90, "select sleep(100) from old")
            .session(2, "Query", "Waiting for table level lock", 60, "select * from old")
            .session(3, "Query", "User sleep", 60, "update old set a = sleep(9)")
            .granted_lock(1, "TABLE", "shop.old", "SHARED_READ")
            .granted_lock(2, "TABLE", "shop.old", "SHARED_READ")
            .granted_lock(3, "TABLE", "shop.old", "SHARED_WRITE"),
        &[(2, 3)],
    );
}

#[test]
fn prepared_xa_transaction_blocks_a_row() {
    let locks = observed()
        .session(2, "Query", "updating", 30, "update orders set a = 1 where id = 42")
        .transaction(101, 0, "RUNNING")
        .transaction(102, 2, "LOCK WAIT")
        .row_wait(102, 101);
    let graph = assert_waits(&locks, &[(2, -101)]);
    assert!(graph.vanished.is_empty(), "the prepared transaction is listed but has no session");
    assert_eq!(root_counts(&graph), [(vec![-101], 1, 1)]);
}

/// The metadata locks of a prepared XA transaction have no owner. Its InnoDB table locks identify the transaction.
#[test]
fn prepared_xa_transaction_blocks_an_alter() {
    let mut locks = observed()
        .session(2, "Query", METADATA_WAIT, 30, "alter table orders add b int")
        .transaction(101, 0, "RUNNING")
        .granted_lock(None, "TABLE", "shop.orders", "SHARED_WRITE")
        .pending_lock(2, "TABLE", "shop.orders", "EXCLUSIVE");
    assert_waits(&locks, &[(2, -101)]);
    locks = locks.transaction(103, 0, "RUNNING");
    let graph = assert_waits(&locks, &[]);
    assert!(graph.unexplained[0].why.english.contains("XA RECOVER"), "the owner is ambiguous: {graph:#?}");
    locks.transactions[1].tables =
        vec![MetadataLockObject::new(MetadataLockObjectKind::Table, Some("shop".into()), Some("orders".into()))];
    assert_waits(&locks, &[(2, -103)]);
}

#[test]
fn chain_of_row_lock_waits_has_one_root() {
    let mut locks = observed();
    for id in 1..=10 {
        locks = locks.session(id, "Query", "updating", id, "update …").transaction(100 + id, id, "LOCK WAIT");
        if id > 1 {
            locks = locks.row_wait(100 + id, 100 + id - 1);
        }
    }
    locks.transactions[0].transaction.state = "RUNNING".into();
    let graph = clew_diagnose::lock_waits::build_wait_graph(&locks);
    assert_eq!(root_counts(&graph), [(vec![1], 9, 9)]);
    assert_eq!(graph.roots[0].longest_seconds, 110 % 60);
    for id in 1..=10 {
        assert_eq!(graph.count_waiters(WaitParticipant::Session(id)), 10 - usize::try_from(id).unwrap(), "{id}");
    }
    assert_eq!(graph.count_waiters(WaitParticipant::Session(11)), 0);
}

#[test]
fn cycle_across_metadata_and_row_locks() {
    let graph = assert_waits(
        &observed()
            .session(1, "Query", "updating", 30, "update orders set a = 1 where id = 42")
            .session(2, "Query", METADATA_WAIT, 20, "alter table items add b int")
            .session(3, "Query", METADATA_WAIT, 10, "select * from items")
            .transaction(101, 1, "LOCK WAIT")
            .transaction(102, 2, "RUNNING")
            .row_wait(101, 102)
            .granted_lock(1, "TABLE", "shop.items", "SHARED_WRITE")
            .pending_lock(2, "TABLE", "shop.items", "EXCLUSIVE")
            .pending_lock(3, "TABLE", "shop.items", "SHARED_READ"),
        &[(1, 2), (2, 1), (3, 2)],
    );
    assert_eq!(graph.cycles.len(), 1);
    assert_eq!(
        root_counts(&graph),
        [(vec![1, 2], 2, 2)],
        "the cycle is the root blocker; a kill also unblocks its other member"
    );
}
