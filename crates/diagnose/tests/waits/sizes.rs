//! Incidents as large as they come. None of these ends within a test's time if work grows faster than with the waits.

use clew_diagnose::waits::graph;

use crate::build::{Build, observed, roots};

/// 100 sessions update one row: InnoDB lists each with everybody before it, 5,050 waits.
#[test]
fn a_queue_of_a_hundred_for_one_row() {
    let mut locks = observed().session(1, "Sleep", "", 9, "").transaction(101, 1, "RUNNING");
    for id in 2..=101 {
        locks = locks.session(id, "Query", "updating", id, "update").transaction(100 + id, id, "LOCK WAIT");
        for earlier in 1..id {
            locks = locks.row(100 + id, 100 + earlier);
        }
    }
    let graph = graph(&locks);
    assert_eq!(graph.waits.len(), 5_050);
    assert_eq!(roots(&graph), [(vec![1], 100, 100)]);
}

#[test]
fn a_fan_of_five_hundred() {
    let mut locks = observed()
        .session(1, "Sleep", "", 900, "")
        .session(2, "Query", "Waiting for table metadata lock", 600, "alter table orders add x int")
        .held(1, "TABLE", "shop.orders", "SHARED_READ")
        .held(2, "TABLE", "shop.orders", "SHARED_UPGRADABLE")
        .asked(2, "TABLE", "shop.orders", "EXCLUSIVE");
    for id in 3..=502 {
        locks = locks.session(id, "Query", "Waiting for table metadata lock", 9, "select * from orders").asked(
            id,
            "TABLE",
            "shop.orders",
            "SHARED_READ",
        );
    }
    let graph = graph(&locks);
    assert_eq!(graph.waits.len(), 501);
    assert_eq!(roots(&graph), [(vec![1], 501, 501)]);
    assert_eq!(graph.roots[0].longest_seconds, 600);
}

/// 2,500 open transactions that read a table, an ALTER behind them, 10,000 sessions behind the ALTER.
#[test]
fn thousands_of_roots_with_the_same_waiters() {
    let mut locks = observed().asked(1, "TABLE", "shop.orders", "EXCLUSIVE");
    for id in 10_001..=12_500 {
        locks = locks.held(id, "TABLE", "shop.orders", "SHARED_READ");
    }
    for id in 2..=10_000 {
        locks = locks.asked(id, "TABLE", "shop.orders", "SHARED_WRITE");
    }
    let graph = graph(&locks);
    assert_eq!(graph.waits.len(), 2_500 + 9_999);
    assert_eq!(graph.roots.len(), 2_500);
    assert!(graph.roots.iter().all(|root| (root.holds, root.frees) == (10_000, 0)));
}

#[test]
fn a_chain_of_a_hundred_thousand() {
    let mut locks = observed();
    for id in 1..=100_000 {
        locks = locks.transaction(200_000 + id, id, "RUNNING");
        if id > 1 {
            locks = locks.row(200_000 + id, 200_000 + id - 1);
        }
    }
    assert_eq!(roots(&graph(&locks)), [(vec![1], 99_999, 99_999)]);
}
