//! What a list of sessions says of each one's wait.

use clew_diagnose::waits::graph;
use clew_model::SessionDetail;

use crate::build::{Build, observed};

/// What is waited for, blocker and root of a session.
fn of(details: &std::collections::HashMap<u64, SessionDetail>, session: u64) -> (&str, Option<u64>, Option<u64>) {
    let detail = &details[&session];
    (detail.waits_for.as_deref().unwrap(), detail.blocker_id, detail.root_blocker_id)
}

#[test]
fn blocker_and_root_lie_on_one_way() {
    const ROW: &str = "row 42 of shop.orders (PRIMARY)";
    // 5 waits for 2, which only 1 holds, and for 4 behind 3, which holds more.
    let graph = graph(
        &observed()
            .transaction(11, 1, "RUNNING")
            .transaction(12, 2, "LOCK WAIT")
            .transaction(13, 3, "RUNNING")
            .transaction(14, 4, "LOCK WAIT")
            .transaction(15, 5, "LOCK WAIT")
            .transaction(16, 6, "LOCK WAIT")
            .row(12, 11)
            .row(14, 13)
            .row(15, 12)
            .row(15, 14)
            .row(16, 13),
    );
    let details = graph.details();
    assert_eq!(details.len(), 4, "{details:?}");
    assert_eq!(of(&details, 2), (ROW, Some(1), Some(1)));
    assert_eq!(of(&details, 5), (ROW, Some(4), Some(3)));
    assert_eq!(of(&details, 4), (ROW, Some(3), Some(3)));
    let masked = graph.masked().details();
    assert_eq!(of(&masked, 5), ("a row of shop.orders (PRIMARY)", Some(4), Some(3)));
}

#[test]
fn in_a_cycle_each_is_at_the_root_and_waits_for_another() {
    let graph = graph(
        &observed()
            .transaction(11, 1, "LOCK WAIT")
            .transaction(12, 2, "LOCK WAIT")
            .transaction(13, 3, "LOCK WAIT")
            .row(11, 12)
            .row(12, 11)
            .row(13, 12),
    );
    let details = graph.details();
    for (session, blocker) in [(1, 2), (2, 1), (3, 2)] {
        let (_, blocked_by, root) = of(&details, session);
        assert_eq!((blocked_by, root), (Some(blocker), Some(blocker)), "{session}");
    }
}

#[test]
fn a_blocker_without_a_session_and_one_that_cannot_be_seen_are_said() {
    let graph = graph(
        &observed()
            .transaction(11, 0, "RUNNING")
            .transaction(12, 2, "LOCK WAIT")
            .transaction(13, 3, "LOCK WAIT")
            .session(4, "Query", "Waiting for table metadata lock", 9, "ALTER TABLE t")
            .row(12, 11)
            .row(13, 12),
    );
    let details = graph.details();
    let (direct, blocker, root) = of(&details, 2);
    assert!(direct.ends_with("; its blocker is transaction 11 without a session"), "{direct}");
    assert_eq!((blocker, root), (None, None));
    let (behind, blocker, root) = of(&details, 3);
    assert!(behind.ends_with("; at the root is transaction 11 without a session"), "{behind}");
    assert_eq!((blocker, root), (Some(2), None));
    let unseen = ("Waiting for table metadata lock: its blocker cannot be seen", None, None);
    assert_eq!(of(&details, 4), unseen);
}
