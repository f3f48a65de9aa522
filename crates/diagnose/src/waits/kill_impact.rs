//! Sessions and transactions that a kill unblocks.

use std::collections::{BTreeSet, HashMap};

use super::graph::{WaitGraph, WaitParticipant};

impl WaitGraph {
    /// Returns the direct and indirect waiters that are unblocked if all sessions and transactions in `gone` end.
    ///
    /// The result is sorted and excludes the sessions and transactions in `gone`.
    #[must_use]
    pub fn find_unblocked_participants(&self, gone: &[WaitParticipant]) -> Vec<WaitParticipant> {
        let mut waiters: HashMap<WaitParticipant, Vec<WaitParticipant>> = HashMap::new();
        for wait in &self.waits {
            waiters.entry(wait.blocker).or_default().push(wait.waiter);
        }
        let mut unblocked_or_gone: BTreeSet<WaitParticipant> = gone.iter().copied().collect();
        let mut pending: Vec<WaitParticipant> = gone.to_vec();
        let mut unblocked = BTreeSet::new();
        while let Some(party) = pending.pop() {
            for &waiter in waiters.get(&party).into_iter().flatten() {
                let is_still_blocked =
                    || self.find_waits_by_waiter(waiter).iter().any(|wait| !unblocked_or_gone.contains(&wait.blocker));
                if unblocked_or_gone.contains(&waiter) || is_still_blocked() {
                    continue;
                }
                unblocked_or_gone.insert(waiter);
                unblocked.insert(waiter);
                pending.push(waiter);
            }
        }
        unblocked.into_iter().collect()
    }
}
