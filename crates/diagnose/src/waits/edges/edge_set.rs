//! Set of edges: one wait for each pair of waiter and blocker.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::waits::graph::{Party, Resource, Wait};

/// Waits detected so far.
#[derive(Default)]
pub(in crate::waits) struct EdgeSet {
    edges: HashMap<(Party, Party), Edge>,
    /// Reason for an unknown blocker, by waiting session.
    pub(in crate::waits) unknown_reasons: HashMap<u64, String>,
}

/// A wait, and the strength of the blocking lock.
struct Edge {
    wait: Wait,
    strength: usize,
}

impl Edge {
    /// Precedence among several reasons to wait for the same blocker; the lowest wins.
    ///
    /// Listed waits precede inferred ones, granted locks precede pending ones, stronger modes precede weaker ones.
    /// The order in which rows were read has no influence.
    fn precedence(&self) -> impl Ord {
        let wait = &self.wait;
        (wait.inferred, wait.queued, Reverse(self.strength), wait.on.clone(), wait.wanted.clone(), wait.held.clone())
    }
}

/// Reason for a wait, before it is merged with others for the same blocker.
pub(super) struct WaitReason {
    pub(super) on: Arc<Resource>,
    pub(super) wanted: Cow<'static, str>,
    pub(super) held: Option<Cow<'static, str>>,
    pub(super) strength: usize,
    pub(super) queued: bool,
    pub(super) inferred: bool,
    pub(super) seconds: Option<u64>,
}

impl EdgeSet {
    /// Adds a wait, or merges it with the existing one. A party never waits for itself.
    pub(super) fn add(&mut self, waiter: Party, blocker: Party, reason: WaitReason) {
        if waiter == blocker {
            return;
        }
        let WaitReason { on, wanted, held, strength, queued, inferred, seconds } = reason;
        let wait = Wait { waiter, blocker, on, wanted, held, queued, inferred, seconds };
        let edge = Edge { wait, strength };
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

    /// All waits, sorted by waiter and blocker.
    pub(in crate::waits) fn into_sorted_waits(self) -> Vec<Wait> {
        let mut waits: Vec<Wait> = self.edges.into_values().map(|edge| edge.wait).collect();
        waits.sort_unstable_by_key(|wait| (wait.waiter, wait.blocker));
        waits
    }
}
