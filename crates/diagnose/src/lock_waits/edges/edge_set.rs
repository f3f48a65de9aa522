//! Set of wait graph edges, with at most one wait per pair of waiter and blocker.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use clew_model::LocalizedText;

use crate::lock_waits::graph::{LockResource, LockWait, WaitParticipant};

#[derive(Default)]
pub(in crate::lock_waits) struct EdgeSet {
    edges: HashMap<(WaitParticipant, WaitParticipant), WaitEdge>,
    pub(in crate::lock_waits) unknown_reasons: HashMap<u64, LocalizedText>,
}

struct WaitEdge {
    wait: LockWait,
    strength: usize,
}

impl WaitEdge {
    /// Returns the sort key of a wait. The edge set keeps only the wait with the lowest key per waiter-blocker pair.
    fn precedence(&self) -> impl Ord {
        let wait = &self.wait;
        (wait.inferred, wait.queued, Reverse(self.strength), wait.on.clone(), wait.wanted.clone(), wait.held.clone())
    }
}

pub(super) struct LockConflict {
    pub(super) on: Arc<LockResource>,
    pub(super) wanted: Cow<'static, str>,
    pub(super) held: Option<Cow<'static, str>>,
    pub(super) strength: usize,
    pub(super) queued: bool,
    pub(super) inferred: bool,
    pub(super) seconds: Option<u64>,
}

impl EdgeSet {
    pub(super) fn add_wait_edge(&mut self, waiter: WaitParticipant, blocker: WaitParticipant, reason: LockConflict) {
        if waiter == blocker {
            return;
        }
        let LockConflict { on, wanted, held, strength, queued, inferred, seconds } = reason;
        let wait = LockWait { waiter, blocker, on, wanted, held, queued, inferred, seconds };
        let edge = WaitEdge { wait, strength };
        match self.edges.entry((waiter, blocker)) {
            Entry::Vacant(entry) => {
                entry.insert(edge);
            }
            Entry::Occupied(mut existing) => {
                if edge.precedence() < existing.get().precedence() {
                    existing.insert(edge);
                }
            }
        }
    }

    pub(in crate::lock_waits) fn into_sorted_waits(self) -> Vec<LockWait> {
        let mut waits: Vec<LockWait> = self.edges.into_values().map(|edge| edge.wait).collect();
        waits.sort_unstable_by_key(|wait| (wait.waiter, wait.blocker));
        waits
    }
}
