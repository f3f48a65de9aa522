//! Index of the observed data.

use std::collections::HashMap;

use super::input::{Observed, SessionFacts, TransactionFacts};
use super::wait_state::{StateWait, parse_wait_state};

/// Observed data, indexed by session and transaction.
pub(super) struct ObservationIndex<'a> {
    pub(super) observed: &'a Observed,
    pub(super) sessions: HashMap<u64, &'a SessionFacts>,
    /// Transactions by session.
    pub(super) transactions: HashMap<u64, &'a TransactionFacts>,
    /// Transactions without a session, by their numbers.
    pub(super) detached: HashMap<u64, &'a TransactionFacts>,
    /// Waits by session, according to the session's state.
    pub(super) state_waits: HashMap<u64, StateWait>,
}

impl<'a> ObservationIndex<'a> {
    pub(super) fn new(observed: &'a Observed) -> Self {
        let mut index = Self {
            observed,
            sessions: observed.sessions.iter().map(|facts| (facts.session.id, facts)).collect(),
            transactions: HashMap::new(),
            detached: HashMap::new(),
            state_waits: HashMap::new(),
        };
        for facts in &observed.transactions {
            match facts.transaction.session_id {
                0 => index.detached.insert(facts.transaction.id, facts),
                session => index.transactions.insert(session, facts),
            };
        }
        for facts in &observed.sessions {
            if let Some(wait) = facts.session.state.as_deref().and_then(parse_wait_state) {
                index.state_waits.insert(facts.session.id, wait);
            }
        }
        index
    }

    /// Seconds that a session has been in its state.
    pub(super) fn seconds_in_state(&self, session: u64) -> Option<u64> {
        self.sessions.get(&session).map(|facts| facts.session.seconds)
    }
}
