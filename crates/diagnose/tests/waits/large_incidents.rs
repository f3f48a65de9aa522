//! Large incidents. The tests would not terminate if the run time were more than linear.

use clew_diagnose::lock_waits::build_wait_graph;

use crate::builder::{ObservedBuilder, observed, root_counts};

/// 100 sessions update one row. InnoDB lists a wait for every preceding session: 5,050 waits in total.
#[test]
fn queue_of_100_sessions_for_one_row() {
    let mut locks = observed().session(1, "Sleep", "", 9, "").transaction(101, 1, "RUNNING");
    for id in 2..=101 {
        locks = locks.session(id, "Query", "updating", id, "update").transaction(100 + id, id, "LOCK WAIT");
        for earlier in 1..id {
            locks = locks.row_wait(100 + id, 100 + earlier);
        }
    }
    let graph = build_wait_graph(&locks);
    assert_eq!(graph.waits.len(), 5_050);
    assert_eq!(root_counts(&graph), [(vec![1], 100, 100)]);
}

#[test]
fn fan_of_500_readers_behind_an_alter() {
    let mut locks = observed()
        .session(1, "Sleep", "", 900, "")
        .session(2, "Query", "Waiting for table metadata lock", 600, "alter table orders add x int")
        .granted_lock(1, "TABLE", "shop.orders", "SHARED_READ")
        .granted_lock(2, "TABLE", "shop.orders", "SHARED_UPGRADABLE")
        .pending_lock(2, "TABLE", "shop.orders", "EXCLUSIVE");
    for id in 3..=502 {
        locks = locks.session(id, "Query", "Waiting for table metadata lock", 9, "select * from orders").pending_lock(
            id,
            "TABLE",
            "shop.orders",
            "SHARED_READ",
        );
    }
    let graph = build_wait_graph(&locks);
    assert_eq!(graph.waits.len(), 501);
    assert_eq!(root_counts(&graph), [(vec![1], 501, 501)]);
    assert_eq!(graph.roots[0].longest_seconds, 600);
}

/// 2,500 open transactions have read a table. An ALTER waits for them, and 10,000 sessions wait for the ALTER.
#[test]
fn thousands_of_roots_share_their_waiters() {
    let mut locks = observed().pending_lock(1, "TABLE", "shop.orders", "EXCLUSIVE");
    for id in 10_001..=12_500 {
        locks = locks.granted_lock(id, "TABLE", "shop.orders", "SHARED_READ");
    }
    for id in 2..=10_000 {
        locks = locks.pending_lock(id, "TABLE", "shop.orders", "SHARED_WRITE");
    }
    let graph = build_wait_graph(&locks);
    assert_eq!(graph.waits.len(), 2_500 + 9_999);
    assert_eq!(graph.roots.len(), 2_500);
    assert!(graph.roots.iter().all(|root| (root.holds, root.frees) == (10_000, 0)));
}

#[test]
fn chain_of_100000_sessions() {
    let mut locks = observed();
    for id in 1..=100_000 {
        locks = locks.transaction(200_000 + id, id, "RUNNING");
        if id > 1 {
            locks = locks.row_wait(200_000 + id, 200_000 + id - 1);
        }
    }
    assert_eq!(root_counts(&build_wait_graph(&locks)), [(vec![1], 99_999, 99_999)]);
}
