//! Wait details by session.

use clew_diagnose::lock_waits::build_wait_graph;
use clew_model::SessionDetail;

use crate::builder::{ObservedBuilder, observed};

/// Resource, blocker and root blocker of a session.
fn wait_detail(
    details: &std::collections::HashMap<u64, SessionDetail>,
    session: u64,
) -> (&str, Option<u64>, Option<u64>) {
    let detail = &details[&session];
    (detail.waits_for.as_deref().unwrap(), detail.blocker_id, detail.root_blocker_id)
}

#[test]
fn blocker_and_root_are_on_the_same_path() {
    const ROW: &str = "row 42 of shop.orders (PRIMARY)";
    // 5 waits for 2, which only 1 blocks, and for 4 behind 3, which blocks more.
    let graph = build_wait_graph(
        &observed()
            .transaction(11, 1, "RUNNING")
            .transaction(12, 2, "LOCK WAIT")
            .transaction(13, 3, "RUNNING")
            .transaction(14, 4, "LOCK WAIT")
            .transaction(15, 5, "LOCK WAIT")
            .transaction(16, 6, "LOCK WAIT")
            .row_wait(12, 11)
            .row_wait(14, 13)
            .row_wait(15, 12)
            .row_wait(15, 14)
            .row_wait(16, 13),
    );
    let details = graph.session_details();
    assert_eq!(details.len(), 4, "{details:?}");
    assert_eq!(wait_detail(&details, 2), (ROW, Some(1), Some(1)));
    assert_eq!(wait_detail(&details, 5), (ROW, Some(4), Some(3)));
    assert_eq!(wait_detail(&details, 4), (ROW, Some(3), Some(3)));
    let masked = graph.with_masked_literals().session_details();
    assert_eq!(wait_detail(&masked, 5), ("a row of shop.orders (PRIMARY)", Some(4), Some(3)));
}

#[test]
fn members_of_a_cycle_have_their_blocker_as_root() {
    let graph = build_wait_graph(
        &observed()
            .transaction(11, 1, "LOCK WAIT")
            .transaction(12, 2, "LOCK WAIT")
            .transaction(13, 3, "LOCK WAIT")
            .row_wait(11, 12)
            .row_wait(12, 11)
            .row_wait(13, 12),
    );
    let details = graph.session_details();
    for (session, blocker) in [(1, 2), (2, 1), (3, 2)] {
        let (_, blocked_by, root) = wait_detail(&details, session);
        assert_eq!((blocked_by, root), (Some(blocker), Some(blocker)), "{session}");
    }
}

#[test]
fn blocker_without_session_and_invisible_blocker_are_described() {
    let graph = build_wait_graph(
        &observed()
            .transaction(11, 0, "RUNNING")
            .transaction(12, 2, "LOCK WAIT")
            .transaction(13, 3, "LOCK WAIT")
            .session(4, "Query", "Waiting for table metadata lock", 9, "ALTER TABLE t")
            .row_wait(12, 11)
            .row_wait(13, 12),
    );
    let details = graph.session_details();
    let (direct, blocker, root) = wait_detail(&details, 2);
    assert!(direct.ends_with("; blocker: transaction 11 without a session"), "{direct}");
    assert_eq!((blocker, root), (None, None));
    let (behind, blocker, root) = wait_detail(&details, 3);
    assert!(behind.ends_with("; root blocker: transaction 11 without a session"), "{behind}");
    assert_eq!((blocker, root), (Some(2), None));
    let unknown = ("Waiting for table metadata lock; blocker unknown", None, None);
    assert_eq!(wait_detail(&details, 4), unknown);
}
