//! Who can go on once some are gone.

use clew_diagnose::waits::{
    LockStatus, MetadataKind, MetadataLock, MetadataMode, MetadataObject, Observed, Party, WaitGraph, graph,
};

/// Each of these waits for the exclusive use of a name of its own that the other holds.
pub(crate) fn waits(pairs: &[(u64, u64)]) -> WaitGraph {
    let lock = |number: usize, session, status| MetadataLock {
        object: MetadataObject::new(MetadataKind::Table, Some("shop".into()), Some(format!("t{number}"))),
        mode: MetadataMode::Exclusive,
        status,
        session: Some(session),
    };
    let locks = pairs.iter().enumerate().flat_map(|(number, &(waiter, blocker))| {
        [lock(number, blocker, LockStatus::Granted), lock(number, waiter, LockStatus::Pending)]
    });
    graph(&Observed { metadata_locks: locks.collect(), pending_seen: true, ..Observed::default() })
}

fn freed(graph: &WaitGraph, gone: &[u64]) -> Vec<u64> {
    let gone: Vec<Party> = gone.iter().copied().map(Party::Session).collect();
    graph.freed_by(&gone).into_iter().filter_map(Party::session).collect()
}

#[test]
fn whoever_waits_for_nobody_else_goes_on() {
    // 1 holds 2, which holds 3 and 4; 4 waits for 9 too.
    let chain = waits(&[(2, 1), (3, 2), (4, 2), (4, 9)]);
    assert_eq!(freed(&chain, &[1]), [2, 3]);
    assert_eq!(freed(&chain, &[9]), [0; 0]);
    assert_eq!(freed(&chain, &[1, 9]), [2, 3, 4]);
    assert_eq!(freed(&chain, &[2]), [3]);
    assert_eq!(freed(&chain, &[3]), [0; 0]);
    assert_eq!(freed(&chain, &[77]), [0; 0]);
    assert_eq!(freed(&chain, &[]), [0; 0]);
}

#[test]
fn of_a_cycle_one_is_enough() {
    let cycle = waits(&[(1, 2), (2, 3), (3, 1), (4, 1)]);
    assert_eq!(freed(&cycle, &[2]), [1, 3, 4]);
    assert_eq!(freed(&cycle, &[4]), [0; 0]);
}
