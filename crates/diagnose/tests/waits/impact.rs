//! Parties that a kill unblocks.

use clew_diagnose::lock_waits::{
    LockSnapshot, LockStatus, MetadataLock, MetadataLockMode, MetadataLockObject, MetadataLockObjectKind, WaitGraph,
    WaitParticipant, build_wait_graph,
};

/// Graph in which each waiter requests an exclusive lock that its blocker holds on a separate object.
pub(crate) fn exclusive_waits(pairs: &[(u64, u64)]) -> WaitGraph {
    let lock = |number: usize, session, status| MetadataLock {
        object: MetadataLockObject::new(MetadataLockObjectKind::Table, Some("shop".into()), Some(format!("t{number}"))),
        mode: MetadataLockMode::Exclusive,
        status,
        session: Some(session),
    };
    let locks = pairs.iter().enumerate().flat_map(|(number, &(waiter, blocker))| {
        [lock(number, blocker, LockStatus::Granted), lock(number, waiter, LockStatus::Pending)]
    });
    build_wait_graph(&LockSnapshot {
        metadata_locks: locks.collect(),
        reports_pending: true,
        ..LockSnapshot::default()
    })
}

fn unblocked_sessions(graph: &WaitGraph, gone: &[u64]) -> Vec<u64> {
    let gone: Vec<WaitParticipant> = gone.iter().copied().map(WaitParticipant::Session).collect();
    graph.find_waiters_unblocked_by(&gone).into_iter().filter_map(WaitParticipant::session_id).collect()
}

#[test]
fn waiters_without_other_blockers_are_unblocked() {
    // 1 blocks 2, which blocks 3 and 4; 4 also waits for 9.
    let chain = exclusive_waits(&[(2, 1), (3, 2), (4, 2), (4, 9)]);
    assert_eq!(unblocked_sessions(&chain, &[1]), [2, 3]);
    assert_eq!(unblocked_sessions(&chain, &[9]), [0; 0]);
    assert_eq!(unblocked_sessions(&chain, &[1, 9]), [2, 3, 4]);
    assert_eq!(unblocked_sessions(&chain, &[2]), [3]);
    assert_eq!(unblocked_sessions(&chain, &[3]), [0; 0]);
    assert_eq!(unblocked_sessions(&chain, &[77]), [0; 0]);
    assert_eq!(unblocked_sessions(&chain, &[]), [0; 0]);
}

#[test]
fn end_of_one_member_unblocks_a_cycle() {
    let cycle = exclusive_waits(&[(1, 2), (2, 3), (3, 1), (4, 1)]);
    assert_eq!(unblocked_sessions(&cycle, &[2]), [1, 3, 4]);
    assert_eq!(unblocked_sessions(&cycle, &[4]), [0; 0]);
}
