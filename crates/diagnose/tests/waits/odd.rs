//! Ends that vanished, owners that cannot be told, and what nobody explains.

use clew_diagnose::waits::{Party, SessionRole};
use clew_model::{Limitation, LimitationKind};

use crate::build::{Build, expect, observed, roots};

#[test]
fn ends_that_vanished_between_two_reads_are_kept_and_said() {
    let graph = expect(
        &observed()
            .session(2, "Query", "updating", 30, "update orders")
            .transaction(102, 2, "LOCK WAIT")
            .row(102, 999)
            .session(3, "Query", "Waiting for table metadata lock", 9, "alter table orders")
            .held(77, "TABLE", "shop.orders", "SHARED_READ")
            .asked(3, "TABLE", "shop.orders", "EXCLUSIVE"),
        &[(2, -999), (3, 77)],
    );
    assert_eq!(graph.vanished, [Party::Session(77), Party::Transaction(999)]);
    assert!(graph.facts(Party::Session(77)).unwrap().is_gone());
}

#[test]
fn the_thread_ids_of_mysql_name_sessions_that_no_transaction_does() {
    let mut locks = observed()
        .session(1, "Sleep", "", 9, "")
        .session(2, "Query", "updating", 9, "update orders")
        .transaction(102, 2, "LOCK WAIT")
        .row(102, 999);
    locks.row_waits[0].blocking.session = Some(1);
    expect(&locks, &[(2, 1)]);
}

#[test]
fn nobody_waits_for_itself() {
    let graph = expect(
        &observed()
            .session(1, "Query", "Waiting for table metadata lock", 9, "alter table orders add b int")
            .held(1, "TABLE", "shop.orders", "SHARED_UPGRADABLE")
            .held(1, "TABLE", "shop.orders", "SHARED_READ")
            .asked(1, "TABLE", "shop.orders", "EXCLUSIVE")
            .row(5, 5),
        &[],
    );
    assert_eq!(graph.unexplained.len(), 1);
    assert!(graph.unexplained[0].why.contains("before the server began to record"), "{graph:#?}");
}

/// MariaDB numbers all transactions that only read 0.
#[test]
fn reading_transactions_of_mariadb_are_told_apart_where_there_is_one() {
    let locks = observed()
        .session(1, "Sleep", "", 9, "")
        .session(2, "Query", "updating", 9, "update orders")
        .transaction(0, 1, "RUNNING")
        .transaction(102, 2, "LOCK WAIT")
        .row(102, 0);
    expect(&locks, &[(2, 1)]);
    let graph = expect(&locks.session(3, "Sleep", "", 9, "").transaction(0, 3, "RUNNING"), &[]);
    assert!(graph.unexplained[0].why.contains("one of sessions 1, 3."), "{graph:#?}");
}

#[test]
fn a_wait_without_a_lock_is_said_with_the_setting_that_would_show_it() {
    let mut locks =
        observed().session(2, "Query", "Waiting for table metadata lock", 9, "alter table orders add b int");
    locks.pending_seen = false;
    locks.limitations.push(Limitation {
        kind: LimitationKind::NoPerformanceSchema,
        what: String::new(),
        why: "performance_schema is OFF.".into(),
        remedy: Some("performance_schema = ON".into()),
    });
    let graph = expect(&locks, &[]);
    assert_eq!(graph.unexplained[0].session, 2);
    assert_eq!(graph.unexplained[0].state, "Waiting for table metadata lock");
    assert!(graph.unexplained[0].why.ends_with("What would show it: performance_schema = ON"), "{graph:#?}");
    locks.sessions[0].role = SessionRole::Internal;
    assert!(expect(&locks, &[]).unexplained.is_empty());
    locks.sessions[0].role = SessionRole::Applier;
    assert_eq!(expect(&locks, &[]).unexplained.len(), 1);
}

#[test]
fn two_blockers_of_one_waiter_free_nobody_alone() {
    let graph = expect(
        &observed()
            .transaction(101, 1, "RUNNING")
            .transaction(102, 2, "RUNNING")
            .transaction(103, 3, "LOCK WAIT")
            .transaction(104, 4, "LOCK WAIT")
            .row(103, 101)
            .row(103, 101)
            .row(103, 102)
            .row(104, 102),
        &[(3, 1), (3, 2), (4, 2)],
    );
    assert_eq!(roots(&graph), [(vec![2], 2, 1), (vec![1], 1, 0)]);
}

#[test]
fn the_worst_root_holds_most_and_of_equals_keeps_them_longest() {
    let mut locks = observed();
    for (id, seconds, blocker) in [(4, 9, 1), (5, 1, 2), (6, 1, 2), (7, 50, 3)] {
        locks = locks
            .session(id, "Query", "User lock", seconds, "select get_lock('x', 9)")
            .held(blocker, "USER LEVEL LOCK", &format!(".{blocker}"), "EXCLUSIVE")
            .asked(id, "USER LEVEL LOCK", &format!(".{blocker}"), "EXCLUSIVE");
    }
    let graph = clew_diagnose::waits::graph(&locks);
    assert_eq!(roots(&graph), [(vec![2], 2, 2), (vec![3], 1, 1), (vec![1], 1, 1)]);
}

#[test]
fn what_a_blocker_holds_is_named_before_what_it_asks_for() {
    let graph = expect(
        &observed()
            .held(1, "TABLE", "shop.orders", "SHARED_READ")
            .held(2, "TABLE", "shop.orders", "SHARED_NO_READ_WRITE")
            .asked(2, "TABLE", "shop.orders", "EXCLUSIVE")
            .asked(3, "TABLE", "shop.orders", "SHARED_READ"),
        &[(2, 1), (3, 2)],
    );
    assert!(!graph.waits[1].queued);
    assert_eq!(graph.waits[1].held.as_deref(), Some("SHARED_NO_READ_WRITE"));
}

/// The thread that prepared it may live on in the table of waits.
#[test]
fn a_transaction_without_a_session_is_never_taken_for_its_old_one() {
    let mut locks = observed().transaction(101, 0, "RUNNING").transaction(102, 2, "LOCK WAIT").row(102, 101);
    locks.row_waits[0].blocking.session = Some(1);
    expect(&locks, &[(2, -101)]);
}

#[test]
fn json_names_everything_and_is_text_whatever_the_bytes() {
    let mut locks = observed()
        .session(1, "Sleep", "", 90, "")
        .session(2, "Query", "updating", 30, "update")
        .transaction(101, 1, "RUNNING")
        .transaction(102, 2, "LOCK WAIT")
        .row(102, 101);
    locks.sessions[1].session.statement = Some(b"caf\xe9\0".to_vec());
    locks.last_statements.insert(1, vec![b"delete from orders".to_vec()]);
    let json = serde_json::to_value(clew_diagnose::waits::graph(&locks)).unwrap();
    assert_eq!(json["waits"][0]["waiter"]["session"], 2);
    assert_eq!(json["waits"][0]["on"]["kind"], "row");
    assert_eq!(json["roots"][0]["parties"][0]["session"], 1);
    assert_eq!(json["parties"][1]["statement"], r"caf\xe9\x00");
    assert_eq!(json["parties"][0]["last_statements"][0], "delete from orders");
    assert_eq!(json["parties"][0]["transaction_id"], 101);
    assert_eq!(json["parties"][0]["gone"], false);
}
