//! Vanished parties, unknown owners, and unexplained waits.

use std::collections::BTreeMap;

use clew_diagnose::lock_waits::{SessionRole, WaitParticipant};
use clew_model::{Limitation, LimitationKind, LocalizedText};

use crate::builder::{ObservedBuilder, assert_waits, observed, root_counts};

#[test]
fn parties_that_vanish_between_reads_are_reported() {
    let graph = assert_waits(
        &observed()
            .session(2, "Query", "updating", 30, "update orders")
            .transaction(102, 2, "LOCK WAIT")
            .row_wait(102, 999)
            .session(3, "Query", "Waiting for table metadata lock", 9, "alter table orders")
            .granted_lock(77, "TABLE", "shop.orders", "SHARED_READ")
            .pending_lock(3, "TABLE", "shop.orders", "EXCLUSIVE"),
        &[(2, -999), (3, 77)],
    );
    assert_eq!(graph.vanished, [WaitParticipant::Session(77), WaitParticipant::Transaction(999)]);
    assert!(graph.participant_detail(WaitParticipant::Session(77)).unwrap().is_missing_from_snapshot());
}

#[test]
fn mysql_thread_ids_identify_sessions_without_transaction() {
    let mut locks = observed()
        .session(1, "Sleep", "", 9, "")
        .session(2, "Query", "updating", 9, "update orders")
        .transaction(102, 2, "LOCK WAIT")
        .row_wait(102, 999);
    locks.row_waits[0].blocking.session = Some(1);
    assert_waits(&locks, &[(2, 1)]);
}

#[test]
fn self_waits_are_ignored() {
    let graph = assert_waits(
        &observed()
            .session(1, "Query", "Waiting for table metadata lock", 9, "alter table orders add b int")
            .granted_lock(1, "TABLE", "shop.orders", "SHARED_UPGRADABLE")
            .granted_lock(1, "TABLE", "shop.orders", "SHARED_READ")
            .pending_lock(1, "TABLE", "shop.orders", "EXCLUSIVE")
            .row_wait(5, 5),
        &[],
    );
    assert_eq!(graph.unexplained.len(), 1);
    assert!(graph.unexplained[0].why.english.contains("before the server started to record"), "{graph:#?}");
}

/// MariaDB reports the transaction id 0 for all read-only transactions.
#[test]
fn single_read_only_transaction_of_mariadb_is_identified() {
    let locks = observed()
        .session(1, "Sleep", "", 9, "")
        .session(2, "Query", "updating", 9, "update orders")
        .transaction(0, 1, "RUNNING")
        .transaction(102, 2, "LOCK WAIT")
        .row_wait(102, 0);
    assert_waits(&locks, &[(2, 1)]);
    let graph = assert_waits(&locks.session(3, "Sleep", "", 9, "").transaction(0, 3, "RUNNING"), &[]);
    assert!(graph.unexplained[0].why.english.contains("one of sessions 1, 3."), "{graph:#?}");
}

#[test]
fn unexplained_wait_names_the_missing_setting() {
    let mut locks =
        observed().session(2, "Query", "Waiting for table metadata lock", 9, "alter table orders add b int");
    locks.reports_pending = false;
    locks.limitations.push(Limitation {
        kind: LimitationKind::NoPerformanceSchema,
        what: LocalizedText::default(),
        why: LocalizedText::new("performance_schema is OFF.", "performance_schema为OFF。"),
        remedy: Some(LocalizedText::untranslated("performance_schema = ON")),
    });
    let graph = assert_waits(&locks, &[]);
    assert_eq!(graph.unexplained[0].session, 2);
    assert_eq!(graph.unexplained[0].state, "Waiting for table metadata lock");
    let json = serde_json::to_value(&graph).unwrap();
    assert_eq!(json["unexplained"][0]["why"], "performance_schema is OFF. Fix: performance_schema = ON");
    assert_eq!(json["unexplained"][0]["zh_cn"]["why"], "performance_schema为OFF。处理方法：performance_schema = ON");
    assert_eq!(json["limitations"][0]["kind"], "no_performance_schema");
    assert_eq!(json["limitations"][0]["why"], "performance_schema is OFF.");
    assert_eq!(json["limitations"][0]["zh_cn"]["why"], "performance_schema为OFF。");
    locks.sessions[0].role = SessionRole::Internal;
    assert!(assert_waits(&locks, &[]).unexplained.is_empty());
    locks.sessions[0].role = SessionRole::Applier;
    assert_eq!(assert_waits(&locks, &[]).unexplained.len(), 1);
}

#[test]
fn waiter_with_two_blockers_is_not_unblocked_by_one() {
    let graph = assert_waits(
        &observed()
            .transaction(101, 1, "RUNNING")
            .transaction(102, 2, "RUNNING")
            .transaction(103, 3, "LOCK WAIT")
            .transaction(104, 4, "LOCK WAIT")
            .row_wait(103, 101)
            .row_wait(103, 101)
            .row_wait(103, 102)
            .row_wait(104, 102),
        &[(3, 1), (3, 2), (4, 2)],
    );
    assert_eq!(root_counts(&graph), [(vec![2], 2, 1), (vec![1], 1, 0)]);
}

#[test]
fn roots_are_ranked_by_waiters_then_longest_wait() {
    let mut locks = observed();
    for (id, seconds, blocker) in [(4, 9, 1), (5, 1, 2), (6, 1, 2), (7, 50, 3)] {
        locks = locks
            .session(id, "Query", "User lock", seconds, "select get_lock('x', 9)")
            .granted_lock(blocker, "USER LEVEL LOCK", &format!(".{blocker}"), "EXCLUSIVE")
            .pending_lock(id, "USER LEVEL LOCK", &format!(".{blocker}"), "EXCLUSIVE");
    }
    let graph = clew_diagnose::lock_waits::build_wait_graph(&locks);
    assert_eq!(root_counts(&graph), [(vec![2], 2, 2), (vec![3], 1, 1), (vec![1], 1, 1)]);
}

#[test]
fn granted_lock_precedes_pending_request_as_reason() {
    let graph = assert_waits(
        &observed()
            .granted_lock(1, "TABLE", "shop.orders", "SHARED_READ")
            .granted_lock(2, "TABLE", "shop.orders", "SHARED_NO_READ_WRITE")
            .pending_lock(2, "TABLE", "shop.orders", "EXCLUSIVE")
            .pending_lock(3, "TABLE", "shop.orders", "SHARED_READ"),
        &[(2, 1), (3, 2)],
    );
    assert!(!graph.waits[1].queued);
    assert_eq!(graph.waits[1].held.as_deref(), Some("SHARED_NO_READ_WRITE"));
}

/// The server table of lock waits may still list the thread that prepared the transaction.
#[test]
fn detached_transaction_is_not_assigned_to_its_old_session() {
    let mut locks = observed().transaction(101, 0, "RUNNING").transaction(102, 2, "LOCK WAIT").row_wait(102, 101);
    locks.row_waits[0].blocking.session = Some(1);
    assert_waits(&locks, &[(2, -101)]);
}

#[test]
fn json_has_all_fields_and_escapes_invalid_bytes() {
    let mut locks = observed()
        .session(1, "Sleep", "", 90, "")
        .session(2, "Query", "updating", 30, "update")
        .transaction(101, 1, "RUNNING")
        .transaction(102, 2, "LOCK WAIT")
        .row_wait(102, 101);
    locks.sessions[1].session.statement = Some(b"caf\xe9\0".to_vec());
    let mut graph = clew_diagnose::lock_waits::build_wait_graph(&locks);
    graph.set_last_statements(&BTreeMap::from([(1, vec![b"delete from orders".to_vec()])]));
    let json = serde_json::to_value(graph).unwrap();
    assert_eq!(json["waits"][0]["waiter"]["session"], 2);
    assert_eq!(json["waits"][0]["on"]["kind"], "row");
    assert_eq!(json["waits"][0]["on"]["zh_cn"]["kind"], "行锁");
    assert_eq!(json["roots"][0]["parties"][0]["session"], 1);
    assert_eq!(json["parties"][1]["statement"], r"caf\xe9\x00");
    assert_eq!(json["parties"][0]["last_statements"][0], "delete from orders");
    assert_eq!(json["parties"][0]["transaction_id"], 101);
    assert_eq!(json["parties"][0]["gone"], false);
}
