//! Set of wait graph edges, with at most one wait per pair of waiter and blocker.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::waits::graph::{LockResource, LockWait, WaitParticipant};

/// Set of detected waits.
#[derive(Default)]
pub(in crate::waits) struct EdgeSet {
    edges: HashMap<(WaitParticipant, WaitParticipant), WaitEdge>,
    /// Reasons why a waiting session's blocker is unknown, keyed by session id.
    pub(in crate::waits) unknown_reasons: HashMap<u64, String>,
}

/// Lock wait and the strength of the blocking lock mode.
struct WaitEdge {
    wait: LockWait,
    strength: usize,
}

impl WaitEdge {
    /// Returns the wait's sort key. For each pair of waiter and blocker, the set retains the wait that sorts first.
    ///
    /// Waits listed by the server sort before inferred waits.
    /// Waits for granted locks sort before waits behind pending requests.
    /// Waits for strong blocking lock modes sort before waits for weak blocking lock modes.
    /// The sort key makes the retained wait independent of the order of the input rows.
    fn precedence(&self) -> impl Ord {
        let wait = &self.wait;
        (wait.inferred, wait.queued, Reverse(self.strength), wait.on.clone(), wait.wanted.clone(), wait.held.clone())
    }
}

/// Lock resource and lock modes of a wait.
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
    /// Adds a wait unless the waiter is its own blocker. Retains only one wait per pair of waiter and blocker.
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

    /// Returns all waits, sorted by waiter and blocker.
    pub(in crate::waits) fn into_sorted_waits(self) -> Vec<LockWait> {
        let mut waits: Vec<LockWait> = self.edges.into_values().map(|edge| edge.wait).collect();
        waits.sort_unstable_by_key(|wait| (wait.waiter, wait.blocker));
        waits
    }
}
