//! Data types of the wait graph.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use clew_model::{Limitation, LimitationKind, LocalizedText, Session};
use serde::Serialize;

use super::lock_snapshot::{LockResource, ObservedTransaction, SessionRole};

/// Waiter or blocker: a session, or a transaction without a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitParticipant {
    /// Session, identified by its thread id.
    Session(u64),
    /// Transaction without a session: a prepared XA transaction, or a transaction whose session has ended.
    Transaction(u64),
}

impl WaitParticipant {
    /// Returns the thread id of the session, or `None` for a transaction without a session.
    #[must_use]
    pub fn session_id(self) -> Option<u64> {
        match self {
            Self::Session(id) => Some(id),
            Self::Transaction(_) => None,
        }
    }
}

/// Wait graph with its root blockers and cycles. The graph does not depend on the order of the input rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WaitGraph {
    /// Lock waits, sorted by waiter and blocker. Each pair of a waiter and a blocker occurs at most once.
    pub waits: Vec<LockWait>,
    /// Root blockers, highest-ranked first.
    pub roots: Vec<RootBlocker>,
    /// Groups of participants that wait for each other in a cycle. A member can also wait for blockers outside the cycle.
    pub cycles: Vec<Vec<WaitParticipant>>,
    /// All waiters and blockers, sorted.
    pub parties: Vec<ParticipantDetail>,
    /// Waiters and blockers that are missing from the snapshot's sessions and transactions.
    pub vanished: Vec<WaitParticipant>,
    /// Waiting sessions without a detected blocker.
    pub unexplained: Vec<WaitWithoutBlocker>,
    /// Limitations of the input data.
    pub limitations: Vec<Limitation>,
}

/// Lock wait: a waiter and a blocker that holds the lock or requested the lock earlier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockWait {
    /// Waiting session or transaction.
    pub waiter: WaitParticipant,
    /// Blocking session or transaction.
    pub blocker: WaitParticipant,
    /// Lock resource that the waiter requests.
    #[serde(serialize_with = "serialize_lock_resource")]
    pub on: Arc<LockResource>,
    /// Requested lock mode.
    pub wanted: Cow<'static, str>,
    /// Lock mode of the blocker, if known.
    pub held: Option<Cow<'static, str>>,
    /// True if the blocker also waits for a metadata lock and precedes the waiter in the queue. False for InnoDB locks.
    pub queued: bool,
    /// True if the wait was inferred from the session's state and statement.
    pub inferred: bool,
    /// Wait duration in seconds, if known.
    pub seconds: Option<u64>,
}

fn serialize_lock_resource<S: serde::Serializer>(on: &Arc<LockResource>, to: S) -> Result<S::Ok, S::Error> {
    on.as_ref().serialize(to)
}

/// Root of the wait graph: a blocker that is not waiting, or a cycle of participants that wait only for each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootBlocker {
    /// Root blocker: a single session or transaction, or all members of a wait cycle.
    pub parties: Vec<WaitParticipant>,
    /// Number of direct and indirect waiters. In a wait cycle, all members except one count as waiters.
    pub holds: usize,
    /// Maximum number of waiters that can continue if the root blocker is killed.
    /// `frees` excludes waiters with several root blockers, because killing one root blocker does not unblock these waiters.
    /// A kill may unblock fewer waiters, because some of them may then have to wait for other lock holders.
    pub frees: usize,
    /// Longest wait time of all direct and indirect waiters, in seconds; 0 if unknown.
    pub longest_seconds: u64,
}

/// Details of a waiter or blocker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantDetail {
    /// Session or transaction that waits for a lock or blocks other sessions or transactions.
    pub party: WaitParticipant,
    /// Session of the waiter or blocker. `None` if the transaction has no session or the session is missing from the input.
    pub session: Option<Session>,
    /// Role of the session.
    pub role: SessionRole,
    /// Open transaction.
    pub transaction: Option<ObservedTransaction>,
    /// Latest statements in the transaction of an idle session, oldest first. See [`WaitGraph::set_last_statements`].
    /// The list of latest statements is empty if the server does not record statements.
    pub last_statements: Vec<Vec<u8>>,
}

/// Waiting session for which Clew did not detect a blocker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitWithoutBlocker {
    /// Id of the session.
    pub session: u64,
    /// State of the session or transaction, such as `Waiting for table metadata lock` or `LOCK WAIT`.
    pub state: String,
    /// Reason why no blocker was detected.
    pub why: LocalizedText,
}

impl ParticipantDetail {
    /// Returns true if the snapshot does not contain the participant's session or transaction.
    #[must_use]
    pub fn is_missing_from_snapshot(&self) -> bool {
        match self.party {
            WaitParticipant::Session(_) => self.session.is_none(),
            WaitParticipant::Transaction(_) => self.transaction.is_none(),
        }
    }

    /// Returns the running statement of the waiter's or blocker's session, if any.
    #[must_use]
    pub fn running_statement(&self) -> Option<&[u8]> {
        self.session.as_ref()?.statement.as_deref()
    }

    /// Returns true if the waiter or blocker is an idle session.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_idle)
    }

    /// Returns true if the transaction is being rolled back.
    #[must_use]
    pub fn is_rolling_back(&self) -> bool {
        self.transaction.as_ref().is_some_and(|facts| facts.transaction.is_rolling_back())
    }
}

impl WaitGraph {
    /// Returns details of a waiter or blocker.
    #[must_use]
    pub fn participant_detail(&self, party: WaitParticipant) -> Option<&ParticipantDetail> {
        let index = self.parties.binary_search_by_key(&party, |facts| facts.party).ok()?;
        self.parties.get(index)
    }

    /// Returns the lock waits of a session or transaction, one for each blocker.
    #[must_use]
    pub fn find_waits_by_waiter(&self, waiter: WaitParticipant) -> &[LockWait] {
        let start = self.waits.partition_point(|wait| wait.waiter < waiter);
        let end = self.waits.partition_point(|wait| wait.waiter <= waiter);
        self.waits.get(start..end).unwrap_or_default()
    }

    /// Returns the root blockers of a session or transaction, highest-ranked first.
    ///
    /// Returns an empty list if `waiter` is not waiting for a lock.
    #[must_use]
    pub fn find_root_blockers(&self, waiter: WaitParticipant) -> Vec<&RootBlocker> {
        if self.find_waits_by_waiter(waiter).is_empty() {
            return Vec::new();
        }
        let visited = self.waiter_and_transitive_blockers(waiter);
        self.roots.iter().filter(|root| root.parties.iter().any(|party| visited.contains(party))).collect()
    }

    /// Returns `waiter` and its direct and indirect blockers.
    #[must_use]
    pub fn waiter_and_transitive_blockers(&self, waiter: WaitParticipant) -> BTreeSet<WaitParticipant> {
        let mut visited = BTreeSet::from([waiter]);
        let mut pending = vec![waiter];
        while let Some(party) = pending.pop() {
            let blockers = self.find_waits_by_waiter(party).iter().map(|wait| wait.blocker);
            pending.extend(blockers.filter(|&blocker| visited.insert(blocker)));
        }
        visited
    }

    /// Returns the direct and indirect waiters that become unblocked when the sessions and transactions in `gone` end.
    ///
    /// The returned list is sorted. It excludes the sessions and transactions in `gone`.
    #[must_use]
    pub fn find_waiters_unblocked_by(&self, gone: &[WaitParticipant]) -> Vec<WaitParticipant> {
        let waiters = self.waiters_by_blocker();
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

    pub(super) fn waiters_by_blocker(&self) -> HashMap<WaitParticipant, Vec<WaitParticipant>> {
        let mut waiters: HashMap<WaitParticipant, Vec<WaitParticipant>> = HashMap::new();
        for wait in &self.waits {
            waiters.entry(wait.blocker).or_default().push(wait.waiter);
        }
        waiters
    }

    /// Returns the number of direct and indirect waiters of a blocker.
    #[must_use]
    pub fn count_waiters(&self, blocker: WaitParticipant) -> usize {
        self.transitive_waiters(&[blocker]).len()
    }

    /// Returns all direct and indirect waiters of the blockers, excluding the blockers themselves.
    #[must_use]
    pub fn transitive_waiters(&self, blockers: &[WaitParticipant]) -> BTreeSet<WaitParticipant> {
        let waiters = self.waiters_by_blocker();
        let mut visited: BTreeSet<WaitParticipant> = blockers.iter().copied().collect();
        let mut pending: Vec<WaitParticipant> = blockers.to_vec();
        while let Some(party) = pending.pop() {
            pending.extend(waiters.get(&party).into_iter().flatten().filter(|waiter| visited.insert(**waiter)));
        }
        for blocker in blockers {
            visited.remove(blocker);
        }
        visited
    }

    /// Returns the session ids of the root blockers that are idle.
    #[must_use]
    pub fn idle_root_blocker_ids(&self) -> Vec<u64> {
        let roots = self.roots.iter().flat_map(|root| &root.parties);
        roots
            .filter(|&&party| self.participant_detail(party).is_some_and(ParticipantDetail::is_idle))
            .filter_map(|party| party.session_id())
            .collect()
    }

    /// `statements` maps each session id to the latest statements of the session, oldest first.
    pub fn set_last_statements(&mut self, statements: &BTreeMap<u64, Vec<Vec<u8>>>) {
        for detail in &mut self.parties {
            if let Some(last) = detail.party.session_id().and_then(|id| statements.get(&id)) {
                detail.last_statements.clone_from(last);
            }
        }
    }

    /// Returns each `Limitation` that may leave transactions out of the wait graph.
    pub fn limitations_causing_missing_transactions(&self) -> impl Iterator<Item = &Limitation> {
        let hides_transactions = |limitation: &&Limitation| {
            matches!(limitation.kind, LimitationKind::NoTransactions | LimitationKind::PartOfTransactions)
        };
        self.limitations.iter().filter(hides_transactions)
    }

    /// Returns true if the graph may lack lock waits because some lock data could not be read.
    #[must_use]
    pub fn may_miss_lock_waits(&self) -> bool {
        self.limitations.iter().any(|limitation| limitation.kind.may_hide_lock_waits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limitations_of_lock_data_hide_waits() {
        let hides = |kind| {
            let limitation =
                Limitation { kind, what: LocalizedText::default(), why: LocalizedText::default(), remedy: None };
            WaitGraph { limitations: vec![limitation], ..WaitGraph::default() }.may_miss_lock_waits()
        };
        assert!(hides(LimitationKind::NoMetadataLocks) && hides(LimitationKind::LostThreads));
        assert!(!hides(LimitationKind::StatementNotKilled) && !hides(LimitationKind::NoTransactions));
    }
}
