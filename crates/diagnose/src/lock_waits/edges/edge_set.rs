//! Set of wait graph edges, with at most one wait per pair of waiter and blocker.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use clew_model::LocalizedText;

use crate::lock_waits::graph::{LockWait, WaitParticipant};

#[derive(Default)]
pub(in crate::lock_waits) struct EdgeSet {
    /// Waits keyed by waiter and blocker. The `usize` is the strength of the blocker's lock mode.
    edges: HashMap<(WaitParticipant, WaitParticipant), (LockWait, usize)>,
    pub(in crate::lock_waits) unknown_reasons: HashMap<u64, LocalizedText>,
}

/// Returns the sort key of a wait. The edge set keeps only the wait with the lowest key per waiter-blocker pair.
fn wait_sort_key((wait, strength): &(LockWait, usize)) -> impl Ord {
    (wait.inferred, wait.queued, Reverse(*strength), wait.on.clone(), wait.wanted.clone(), wait.held.clone())
}

impl EdgeSet {
    pub(super) fn add_wait_edge(&mut self, wait: LockWait, strength: usize) {
        if wait.waiter == wait.blocker {
            return;
        }
        let pair = (wait.waiter, wait.blocker);
        let edge = (wait, strength);
        match self.edges.entry(pair) {
            Entry::Occupied(existing) if wait_sort_key(existing.get()) <= wait_sort_key(&edge) => {}
            entry => {
                entry.insert_entry(edge);
            }
        }
    }

    pub(in crate::lock_waits) fn into_sorted_waits(self) -> Vec<LockWait> {
        let mut waits: Vec<LockWait> = self.edges.into_values().map(|(wait, _)| wait).collect();
        waits.sort_unstable_by_key(|wait| (wait.waiter, wait.blocker));
        waits
    }
}
