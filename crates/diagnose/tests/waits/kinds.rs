//! Each kind of wait, as MySQL 9.7.4 and MariaDB 10.11.19 show it (spec/waits.md).

use clew_diagnose::waits::{MetadataKind, Party, ResourceKind, TableName};

use crate::build::{Build, expect, observed, roots};

const TABLE: &str = "Waiting for table metadata lock";

#[test]
fn a_row() {
    let graph = expect(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "updating", 30, "update orders set a = 1 where id = 42")
            .transaction(101, 1, "RUNNING")
            .transaction(102, 2, "LOCK WAIT")
            .row(102, 101),
        &[(2, 1)],
    );
    assert_eq!(roots(&graph), [(vec![1], 1, 1)]);
    let wait = &graph.waits[0];
    assert_eq!((&wait.on.kind, &*wait.wanted), (&ResourceKind::Row, "X,REC_NOT_GAP"));
    assert_eq!(wait.on.data.as_deref(), Some("42"));
    assert_eq!(wait.seconds, Some(102 % 60), "the transaction's wait, not the time in the state");
    assert_eq!(graph.idle_roots(), [1]);
    assert_eq!(graph.facts(wait.blocker).unwrap().transaction.as_ref().unwrap().transaction.id, 101);
}

#[test]
fn flush_tables_with_read_lock_of_mysql() {
    let graph = expect(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "Waiting for global read lock", 30, "insert into orders values (1)")
            .session(3, "Query", "Waiting for commit lock", 20, "commit")
            .held(1, "GLOBAL", "", "SHARED")
            .held(1, "COMMIT", "", "SHARED")
            .held(3, "GLOBAL", "", "INTENTION_EXCLUSIVE")
            .asked(2, "GLOBAL", "", "INTENTION_EXCLUSIVE")
            .asked(3, "COMMIT", "", "INTENTION_EXCLUSIVE"),
        &[(2, 1), (3, 1)],
    );
    assert_eq!(graph.waits[0].on.kind, ResourceKind::Metadata(MetadataKind::Global));
    assert_eq!(graph.waits[0].held.as_deref(), Some("SHARED"));
}

#[test]
fn flush_tables_with_read_lock_of_mariadb() {
    expect(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "Waiting for backup lock", 30, "insert into orders values (1)")
            .held(1, "BACKUP", "", "BACKUP_FTWRL1")
            .asked(2, "BACKUP", "", "BACKUP_TRANS_DML"),
        &[(2, 1)],
    );
}

#[test]
fn backup_locks() {
    expect(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "Waiting for backup lock", 30, "create table x (a int)")
            .held(1, "BACKUP LOCK", "", "SHARED")
            .held(3, "BACKUP LOCK", "", "SHARED")
            .asked(2, "BACKUP LOCK", "", "INTENTION_EXCLUSIVE"),
        &[(2, 1), (2, 3)],
    );
    expect(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", "Waiting for backup lock", 30, "create table x (a int)")
            .held(1, "BACKUP", "", "BACKUP_BLOCK_DDL")
            .held(3, "BACKUP", "", "BACKUP_TRANS_DML")
            .asked(2, "BACKUP", "", "BACKUP_DDL"),
        &[(2, 1)],
    );
}

#[test]
fn lock_tables() {
    expect(
        &observed()
            .session(1, "Sleep", "", 90, "")
            .session(2, "Query", TABLE, 30, "select * from orders")
            .held(1, "TABLE", "shop.orders", "SHARED_NO_READ_WRITE")
            .held(1, "GLOBAL", "", "INTENTION_EXCLUSIVE")
            .asked(2, "TABLE", "shop.orders", "SHARED_READ"),
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
            .held(1, "USER LEVEL LOCK", ".nightly", mode)
            .held(1, "USER LEVEL LOCK", ".other", mode)
            .asked(2, "USER LEVEL LOCK", ".nightly", mode)
            .asked(3, "USER LEVEL LOCK", ".nightly", mode)
    };
    let graph = expect(&locks("EXCLUSIVE"), &[(2, 1), (3, 1)]);
    assert_eq!(graph.waits[0].on.name.as_deref(), Some("nightly"));
    expect(&locks("SHARED_NO_WRITE"), &[(2, 1), (3, 1)]);
}

#[test]
fn an_alter_behind_an_open_transaction_and_readers_behind_the_alter() {
    let graph = expect(
        &observed()
            .session(1, "Sleep", "", 900, "")
            .session(2, "Query", TABLE, 60, "alter table orders add x int")
            .session(3, "Query", TABLE, 50, "select * from orders")
            .session(4, "Query", "", 50, "select 1 from information_schema.tables")
            .held(1, "TABLE", "shop.orders", "SHARED_WRITE")
            .held(1, "TABLE", "shop.orders", "SHARED_READ")
            .held(2, "TABLE", "shop.orders", "SHARED_UPGRADABLE")
            .held(4, "TABLE", "shop.orders", "SHARED_HIGH_PRIO")
            .asked(2, "TABLE", "shop.orders", "EXCLUSIVE")
            .asked(3, "TABLE", "shop.orders", "SHARED_READ"),
        &[(2, 1), (2, 4), (3, 2)],
    );
    assert_eq!(graph.waits[0].held.as_deref(), Some("SHARED_WRITE"), "the stronger of its two locks");
    assert!(graph.waits[2].queued, "the reader waits for a request, not for a lock");
    assert_eq!(roots(&graph), [(vec![1], 2, 0), (vec![4], 2, 0)]);
    assert_eq!(graph.roots_of(graph.waits[2].waiter).len(), 2);
    assert!(graph.roots_of(graph.waits[0].blocker).is_empty());
}

#[test]
fn a_drop_of_a_schema_waits_for_its_tables() {
    expect(
        &observed()
            .session(1, "Sleep", "", 900, "")
            .session(2, "Query", TABLE, 60, "drop database shop")
            .held(1, "TABLE", "shop.orders", "SHARED_READ")
            .held(2, "SCHEMA", "shop.", "EXCLUSIVE")
            .asked(2, "TABLE", "shop.orders", "EXCLUSIVE")
            .session(3, "Query", "Waiting for schema metadata lock", 9, "create table shop.n (a int)")
            .asked(3, "SCHEMA", "shop.", "INTENTION_EXCLUSIVE"),
        &[(2, 1), (3, 2)],
    );
}

#[test]
fn a_routine() {
    expect(
        &observed()
            .session(1, "Query", "User sleep", 90, "call slow()")
            .session(2, "Query", "Waiting for stored procedure metadata lock", 60, "drop procedure slow")
            .held(1, "PROCEDURE", "shop.slow", "SHARED")
            .held(3, "FUNCTION", "shop.slow", "SHARED")
            .asked(2, "PROCEDURE", "shop.slow", "EXCLUSIVE"),
        &[(2, 1)],
    );
}

/// MySQL shows no request: who runs a statement on the table keeps it open, an idle transaction does not.
#[test]
fn a_flush_of_a_table_waits_for_running_statements() {
    let graph = expect(
        &observed()
            .session(1, "Query", "User sleep", 90, "select sleep(100) from orders")
            .session(2, "Sleep", "", 90, "")
            .session(3, "Query", "Waiting for table flush", 60, "flush tables orders")
            .session(4, "Query", "Waiting for table flush", 50, "select count(*) from orders")
            .session(5, "Sleep", "", 90, "")
            .session(6, "Query", "", 9, "select * from items")
            .held(1, "TABLE", "shop.orders", "SHARED_READ")
            .held(2, "TABLE", "shop.orders", "SHARED_READ")
            .held(4, "TABLE", "shop.orders", "SHARED_READ")
            .held(5, "TABLE", "shop.orders", "SHARED_READ_ONLY")
            .held(6, "TABLE", "shop.items", "SHARED_READ"),
        &[(3, 1), (3, 5), (4, 1), (4, 5)],
    );
    assert_eq!(graph.waits[0].on.kind, ResourceKind::TableFlush);
    assert!(graph.waits[0].inferred);
}

#[test]
fn a_flush_of_all_tables_waits_for_every_running_statement() {
    expect(
        &observed()
            .session(1, "Query", "User sleep", 90, "select sleep(100) from orders")
            .session(3, "Query", "Waiting for table flush", 60, "flush tables with read lock")
            .session(6, "Query", "", 9, "select * from items")
            .held(1, "TABLE", "shop.orders", "SHARED_READ")
            .held(6, "TABLE", "shop.items", "SHARED_READ"),
        &[(3, 1), (3, 6)],
    );
}

#[test]
fn a_table_lock_of_the_engine() {
    let graph = expect(
        &observed()
            .session(1, "Query", "User sleep", 90, "select sleep(100) from old")
            .session(2, "Query", "Waiting for table level lock", 60, "update old set a = 1")
            .session(3, "Query", "Waiting for table level lock", 60, "update old set a = 2")
            .session(4, "Sleep", "", 60, "")
            .held(1, "TABLE", "shop.old", "SHARED_READ")
            .held(2, "TABLE", "shop.old", "SHARED_WRITE")
            .held(3, "TABLE", "shop.old", "SHARED_WRITE")
            .held(4, "TABLE", "shop.old", "SHARED_WRITE"),
        &[(2, 1), (3, 1)],
    );
    assert_eq!(graph.waits[0].on.kind, ResourceKind::TableLevelLock);
}

#[test]
fn readers_of_a_table_do_not_wait_for_readers() {
    expect(
        &observed()
            .session(1, "Query", "User sleep", 90, "select sleep(100) from old")
            .session(2, "Query", "Waiting for table level lock", 60, "select * from old")
            .session(3, "Query", "User sleep", 60, "update old set a = sleep(9)")
            .held(1, "TABLE", "shop.old", "SHARED_READ")
            .held(2, "TABLE", "shop.old", "SHARED_READ")
            .held(3, "TABLE", "shop.old", "SHARED_WRITE"),
        &[(2, 3)],
    );
}

#[test]
fn a_prepared_transaction_without_a_session() {
    let locks = observed()
        .session(2, "Query", "updating", 30, "update orders set a = 1 where id = 42")
        .transaction(101, 0, "RUNNING")
        .transaction(102, 2, "LOCK WAIT")
        .row(102, 101);
    let graph = expect(&locks, &[(2, -101)]);
    assert!(graph.vanished.is_empty(), "it is there, it only has no session");
    assert_eq!(roots(&graph), [(vec![-101], 1, 1)]);
}

/// Its metadata locks have no owner: the transactions' own tables tell whose they are.
#[test]
fn a_definition_that_a_prepared_transaction_holds() {
    let mut locks = observed()
        .session(2, "Query", TABLE, 30, "alter table orders add b int")
        .transaction(101, 0, "RUNNING")
        .held(None, "TABLE", "shop.orders", "SHARED_WRITE")
        .asked(2, "TABLE", "shop.orders", "EXCLUSIVE");
    expect(&locks, &[(2, -101)]);
    locks = locks.transaction(103, 0, "RUNNING");
    let graph = expect(&locks, &[]);
    assert!(graph.unexplained[0].why.contains("XA RECOVER"), "two could be it: {graph:#?}");
    locks.transactions[1].tables = vec![TableName { schema: "shop".into(), table: "orders".into() }];
    expect(&locks, &[(2, -103)]);
}

#[test]
fn a_waiter_whose_own_transaction_blocks_others() {
    let mut locks = observed();
    for id in 1..=10 {
        locks = locks.session(id, "Query", "updating", id, "update …").transaction(100 + id, id, "LOCK WAIT");
        if id > 1 {
            locks = locks.row(100 + id, 100 + id - 1);
        }
    }
    locks.transactions[0].transaction.state = "RUNNING".into();
    let graph = clew_diagnose::waits::graph(&locks);
    assert_eq!(roots(&graph), [(vec![1], 9, 9)]);
    assert_eq!(graph.roots[0].longest_seconds, 110 % 60);
    for id in 1..=10 {
        assert_eq!(graph.held_up_by(Party::Session(id)), 10 - usize::try_from(id).unwrap(), "{id}");
    }
    assert_eq!(graph.held_up_by(Party::Session(11)), 0);
}

#[test]
fn a_cycle_across_metadata_and_rows() {
    let graph = expect(
        &observed()
            .session(1, "Query", "updating", 30, "update orders set a = 1 where id = 42")
            .session(2, "Query", TABLE, 20, "alter table items add b int")
            .session(3, "Query", TABLE, 10, "select * from items")
            .transaction(101, 1, "LOCK WAIT")
            .transaction(102, 2, "RUNNING")
            .row(101, 102)
            .held(1, "TABLE", "shop.items", "SHARED_WRITE")
            .asked(2, "TABLE", "shop.items", "EXCLUSIVE")
            .asked(3, "TABLE", "shop.items", "SHARED_READ"),
        &[(1, 2), (2, 1), (3, 2)],
    );
    assert_eq!(graph.cycles.len(), 1);
    assert_eq!(roots(&graph), [(vec![1, 2], 2, 2)], "the cycle is the root; its other member is freed too");
}
