//! Detects lock waits (the edges of the wait graph).

mod innodb_locks;
mod lock_requests;
mod metadata_locks;
mod table_waits;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use clew_model::LocalizedText;

use super::graph::{LockWait, WaitParticipant};
use super::lock_snapshot::LockSnapshotIndex;

pub(super) fn detect_lock_waits(index: &LockSnapshotIndex<'_>) -> EdgeSet {
    let mut edges = EdgeSet::default();
    innodb_locks::add_innodb_lock_edges(&mut edges, index);
    metadata_locks::add_metadata_lock_edges(&mut edges, index);
    table_waits::add_table_wait_edges(&mut edges, index);
    edges
}

#[derive(Default)]
pub(super) struct EdgeSet {
    /// For each waiter and blocker, the lock wait and the strength of the blocker's lock mode.
    edges: HashMap<(WaitParticipant, WaitParticipant), (LockWait, usize)>,
    pub(super) unknown_reasons: HashMap<u64, LocalizedText>,
}

/// Clew keeps only the lowest-ranked edge of each waiter and blocker.
fn rank_edge((wait, strength): &(LockWait, usize)) -> impl Ord {
    (wait.inferred, wait.queued, Reverse(*strength), wait.on.clone(), wait.wanted.clone(), wait.held.clone())
}

impl EdgeSet {
    fn add_wait_edge(&mut self, wait: LockWait, strength: usize) {
        if wait.waiter == wait.blocker {
            return;
        }
        let pair = (wait.waiter, wait.blocker);
        let edge = (wait, strength);
        match self.edges.entry(pair) {
            Entry::Occupied(existing) if rank_edge(existing.get()) <= rank_edge(&edge) => {}
            entry => {
                entry.insert_entry(edge);
            }
        }
    }

    pub(super) fn into_sorted_waits(self) -> Vec<LockWait> {
        let mut waits: Vec<LockWait> = self.edges.into_values().map(|(wait, _)| wait).collect();
        waits.sort_unstable_by_key(|wait| (wait.waiter, wait.blocker));
        waits
    }
}
