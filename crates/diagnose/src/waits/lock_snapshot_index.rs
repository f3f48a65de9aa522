//! Index of the wait graph's input data.

use std::collections::HashMap;

use super::lock_snapshot::{LockSnapshot, ObservedSession, ObservedTransaction};
use super::wait_state::{LockWaitState, parse_lock_wait_state};

pub(super) struct LockSnapshotIndex<'a> {
    pub(super) observed: &'a LockSnapshot,
    pub(super) sessions: HashMap<u64, &'a ObservedSession>,
    pub(super) transactions: HashMap<u64, &'a ObservedTransaction>,
    /// Transactions without a session, keyed by transaction id.
    pub(super) detached: HashMap<u64, &'a ObservedTransaction>,
    pub(super) wait_states: HashMap<u64, LockWaitState>,
}

impl<'a> LockSnapshotIndex<'a> {
    pub(super) fn new(observed: &'a LockSnapshot) -> Self {
        let mut index = Self {
            observed,
            sessions: observed.sessions.iter().map(|facts| (facts.session.id, facts)).collect(),
            transactions: HashMap::new(),
            detached: HashMap::new(),
            wait_states: HashMap::new(),
        };
        for facts in &observed.transactions {
            match facts.transaction.session_id {
                0 => index.detached.insert(facts.transaction.id, facts),
                session => index.transactions.insert(session, facts),
            };
        }
        for facts in &observed.sessions {
            if let Some(wait) = facts.session.state.as_deref().and_then(parse_lock_wait_state) {
                index.wait_states.insert(facts.session.id, wait);
            }
        }
        index
    }

    pub(super) fn seconds_in_state(&self, session: u64) -> Option<u64> {
        self.sessions.get(&session).map(|facts| facts.session.seconds)
    }
}
