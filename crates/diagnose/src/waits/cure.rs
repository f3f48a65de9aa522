//! What ends a root blocker.

use super::graph::{Party, Root, WaitGraph};
use super::observed::SessionRole;

/// What can be done about a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure<'a> {
    /// This session can be killed; of a cycle, this one of its members.
    Kill(u64),
    /// No session has the transaction: whoever may, rolls it back by its name, where that is known.
    RollBack(Option<&'a str>),
    /// It is being undone: nothing ends that sooner.
    Wait,
    /// A session of the server's own, or of Clew's, which is not to be killed.
    Leave(u64, SessionRole),
    /// It was gone when it was looked at.
    LookAgain,
}

impl WaitGraph {
    /// What ends a root. Nothing only for a root that is not of this graph.
    #[must_use]
    pub fn cure(&self, root: &Root) -> Option<Cure<'_>> {
        let all: Vec<Cure<'_>> = root.parties.iter().filter_map(|&party| self.cure_of(party)).collect();
        // Of a cycle, any member that can be killed will do.
        all.iter().find(|cure| matches!(cure, Cure::Kill(_))).or_else(|| all.first()).copied()
    }

    fn cure_of(&self, party: Party) -> Option<Cure<'_>> {
        let facts = self.facts(party)?;
        Some(match party {
            _ if facts.is_gone() => Cure::LookAgain,
            _ if facts.is_rolling_back() => Cure::Wait,
            Party::Transaction(_) => Cure::RollBack(facts.transaction.as_ref()?.xid.as_deref()),
            Party::Session(id) if facts.role == SessionRole::User => Cure::Kill(id),
            Party::Session(id) => Cure::Leave(id, facts.role),
        })
    }
}
