//! Waits, joined from all that was read: one for each pair of waiter and blocker.

mod metadata;
mod requests;
mod rows;
mod tables;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::graph::{Party, Resource, Wait};
use super::observed::{Observed, SessionFacts, TransactionFacts};
use super::state::{self, StateWait};

/// What was read, by what it is looked up by.
pub(super) struct Lookup<'a> {
    pub(super) observed: &'a Observed,
    pub(super) sessions: HashMap<u64, &'a SessionFacts>,
    /// Each session's transaction.
    pub(super) transactions: HashMap<u64, &'a TransactionFacts>,
    /// Transactions without a session, by their numbers.
    pub(super) detached: HashMap<u64, &'a TransactionFacts>,
    /// What each session waits for by its state; only those that wait.
    pub(super) states: HashMap<u64, StateWait>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(observed: &'a Observed) -> Self {
        let mut lookup = Self {
            observed,
            sessions: observed.sessions.iter().map(|facts| (facts.session.id, facts)).collect(),
            transactions: HashMap::new(),
            detached: HashMap::new(),
            states: HashMap::new(),
        };
        for facts in &observed.transactions {
            match facts.transaction.session_id {
                0 => lookup.detached.insert(facts.transaction.id, facts),
                session => lookup.transactions.insert(session, facts),
            };
        }
        for facts in &observed.sessions {
            if let Some(wait) = facts.session.state.as_deref().and_then(state::wait) {
                lookup.states.insert(facts.session.id, wait);
            }
        }
        lookup
    }

    /// Seconds in its state.
    fn seconds(&self, session: u64) -> Option<u64> {
        self.sessions.get(&session).map(|facts| facts.session.seconds)
    }
}

/// The waits found so far.
#[derive(Default)]
pub(super) struct Edges {
    found: HashMap<(Party, Party), Edge>,
    /// Why nobody is known for whom these sessions wait.
    pub(super) doubts: HashMap<u64, String>,
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
struct Reason {
    on: Arc<Resource>,
    wanted: Cow<'static, str>,
    held: Option<Cow<'static, str>>,
    strength: usize,
    queued: bool,
    inferred: bool,
    seconds: Option<u64>,
}

impl Edges {
    /// Every wait that `lookup` tells of.
    pub(super) fn of(lookup: &Lookup<'_>) -> Self {
        let mut edges = Self::default();
        rows::add(&mut edges, lookup);
        metadata::add(&mut edges, lookup);
        tables::add(&mut edges, lookup);
        edges
    }

    /// Nobody waits for itself.
    fn add(&mut self, waiter: Party, blocker: Party, reason: Reason) {
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
    pub(super) fn sorted(self) -> Vec<Wait> {
        let mut waits: Vec<Wait> = self.found.into_values().map(|edge| edge.wait).collect();
        waits.sort_unstable_by_key(|wait| (wait.waiter, wait.blocker));
        waits
    }
}
