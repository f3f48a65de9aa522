//! Waits as they are found: one for each pair of waiter and blocker.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::waits::graph::{Party, Resource, Wait};

/// The waits found so far.
#[derive(Default)]
pub(in crate::waits) struct Edges {
    found: HashMap<(Party, Party), Edge>,
    /// Why nobody is known for whom these sessions wait.
    pub(in crate::waits) doubts: HashMap<u64, String>,
}

/// A wait, and how much its lock excludes.
struct Edge {
    wait: Wait,
    strength: usize,
}

impl Edge {
    /// Of several reasons to wait for one blocker, what is sure comes first, what is held before what is asked for, what
    /// excludes most before the rest; the order of reading counts for nothing.
    fn place(&self) -> impl Ord {
        let wait = &self.wait;
        (wait.inferred, wait.queued, Reverse(self.strength), wait.on.clone(), wait.wanted.clone(), wait.held.clone())
    }
}

/// One reason to wait, before it is known who else says so.
pub(super) struct Reason {
    pub(super) on: Arc<Resource>,
    pub(super) wanted: Cow<'static, str>,
    pub(super) held: Option<Cow<'static, str>>,
    pub(super) strength: usize,
    pub(super) queued: bool,
    pub(super) inferred: bool,
    pub(super) seconds: Option<u64>,
}

impl Edges {
    /// Nobody waits for itself.
    pub(super) fn add(&mut self, waiter: Party, blocker: Party, reason: Reason) {
        if waiter == blocker {
            return;
        }
        let Reason { on, wanted, held, strength, queued, inferred, seconds } = reason;
        let wait = Wait { waiter, blocker, on, wanted, held, queued, inferred, seconds };
        let edge = Edge { wait, strength };
        match self.found.entry((waiter, blocker)) {
            Entry::Vacant(place) => {
                place.insert(edge);
            }
            Entry::Occupied(mut known) => {
                if edge.place() < known.get().place() {
                    known.insert(edge);
                }
            }
        }
    }

    /// All waits, by waiter and blocker.
    pub(in crate::waits) fn sorted(self) -> Vec<Wait> {
        let mut waits: Vec<Wait> = self.found.into_values().map(|edge| edge.wait).collect();
        waits.sort_unstable_by_key(|wait| (wait.waiter, wait.blocker));
        waits
    }
}
