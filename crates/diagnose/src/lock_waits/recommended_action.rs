//! Recommends how to resolve the lock waits caused by a root blocker.

use super::graph::{RootBlocker, WaitGraph, WaitParticipant};
use super::lock_snapshot::SessionRole;

/// Recommended action for resolving the lock waits behind a root blocker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecommendedAction<'a> {
    /// Kill the session with this id. In a cycle of lock waits, the id identifies one of the waiting sessions.
    Kill(u64),
    /// Roll back a transaction that has no session. The value is its XA identifier, or `None` if the identifier is unknown.
    RollBack(Option<&'a str>),
    /// Wait until the transaction has been rolled back. Killing the session would not shorten the rollback.
    Wait,
    /// Do not kill the session, because it is an internal session of the server or one of Clew's own sessions.
    DoNotKill(u64, SessionRole),
    /// Refresh the data. The snapshot does not contain the session or transaction of the root blocker.
    Refresh,
}

impl WaitGraph {
    /// Returns the recommended action for a root blocker, or `None` if the graph does not contain the root blocker.
    #[must_use]
    pub fn recommend_action(&self, root: &RootBlocker) -> Option<RecommendedAction<'_>> {
        let remedies: Vec<RecommendedAction<'_>> =
            root.parties.iter().filter_map(|&party| self.recommend_action_for_participant(party)).collect();
        // In a cycle, killing any member is sufficient.
        remedies
            .iter()
            .find(|remedy| matches!(remedy, RecommendedAction::Kill(_)))
            .or_else(|| remedies.first())
            .copied()
    }

    fn recommend_action_for_participant(&self, party: WaitParticipant) -> Option<RecommendedAction<'_>> {
        let facts = self.participant_detail(party)?;
        Some(match party {
            _ if facts.is_missing_from_snapshot() => RecommendedAction::Refresh,
            _ if facts.is_rolling_back() => RecommendedAction::Wait,
            WaitParticipant::Transaction(_) => RecommendedAction::RollBack(facts.transaction.as_ref()?.xid.as_deref()),
            WaitParticipant::Session(id) if facts.role == SessionRole::User => RecommendedAction::Kill(id),
            WaitParticipant::Session(id) => RecommendedAction::DoNotKill(id, facts.role),
        })
    }
}
