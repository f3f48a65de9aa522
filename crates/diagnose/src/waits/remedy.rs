//! Remedies for root blockers.

use super::graph::{Party, Root, WaitGraph};
use super::input::SessionRole;

/// Remedy for a root blocker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy<'a> {
    /// Kill this session; in a cycle, one of its members.
    Kill(u64),
    /// Roll back the transaction by its XA identifier, if known. It has no session to kill.
    RollBack(Option<&'a str>),
    /// Wait until the rollback finishes; nothing shortens it.
    Wait,
    /// Do not kill: the session belongs to the server or to Clew.
    DoNotKill(u64, SessionRole),
    /// Refresh: the party was missing when the sessions were read.
    Refresh,
}

impl WaitGraph {
    /// Remedy for a root; `None` only if the root is not part of this graph.
    #[must_use]
    pub fn remedy(&self, root: &Root) -> Option<Remedy<'_>> {
        let remedies: Vec<Remedy<'_>> = root.parties.iter().filter_map(|&party| self.remedy_for(party)).collect();
        // In a cycle, the kill of any member is sufficient.
        remedies.iter().find(|remedy| matches!(remedy, Remedy::Kill(_))).or_else(|| remedies.first()).copied()
    }

    fn remedy_for(&self, party: Party) -> Option<Remedy<'_>> {
        let facts = self.facts(party)?;
        Some(match party {
            _ if facts.is_missing() => Remedy::Refresh,
            _ if facts.is_rolling_back() => Remedy::Wait,
            Party::Transaction(_) => Remedy::RollBack(facts.transaction.as_ref()?.xid.as_deref()),
            Party::Session(id) if facts.role == SessionRole::User => Remedy::Kill(id),
            Party::Session(id) => Remedy::DoNotKill(id, facts.role),
        })
    }
}
