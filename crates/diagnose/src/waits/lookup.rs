//! What was read, by what it is looked up by.

use std::collections::HashMap;

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
    pub(super) fn seconds(&self, session: u64) -> Option<u64> {
        self.sessions.get(&session).map(|facts| facts.session.seconds)
    }
}
