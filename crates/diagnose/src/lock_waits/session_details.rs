//! Lock waits and blockers for the detail columns of a session list.

use std::collections::HashMap;

use clew_model::SessionDetail;

use super::graph::{LockWait, RootBlocker, WaitGraph, WaitParticipant};

impl WaitGraph {
    /// Returns the requested lock resource, blocker and root blocker of each waiting session, keyed by session id.
    ///
    /// If a session has several blockers, `blocker_id` identifies the blocker that leads to the highest-ranked root blocker.
    /// If no blocker was detected, `blocker_id` and `root_blocker_id` are `None`.
    #[must_use]
    pub fn session_details(&self) -> HashMap<u64, SessionDetail> {
        let first_roots = self.find_highest_ranked_root_blockers();
        let waiting = self.waits.chunk_by(|left, right| left.waiter == right.waiter);
        let explained = waiting.filter_map(|waits| {
            let waiter = waits.first()?.waiter;
            Some((waiter.session_id()?, self.build_session_detail(waiter, waits, &first_roots)?))
        });
        let unexplained = self.unexplained.iter().map(|unexplained| {
            let waits_for = Some(format!("{}; blocker unknown", unexplained.state));
            (unexplained.session, SessionDetail { waits_for, ..SessionDetail::default() })
        });
        unexplained.chain(explained).collect()
    }

    fn build_session_detail(
        &self,
        waiter: WaitParticipant,
        waits: &[LockWait],
        first_roots: &HashMap<WaitParticipant, usize>,
    ) -> Option<SessionDetail> {
        let root_of = |party: WaitParticipant| first_roots.get(&party);
        let root_index = root_of(waiter)?;
        let root = self.roots.get(*root_index)?;
        let wait = waits.iter().find(|wait| root_of(wait.blocker) == Some(root_index)).or_else(|| waits.first())?;
        let root_blocker = select_root_blocker(root, waiter, wait.blocker);
        let describe_party = |label: &str, party: WaitParticipant| match party {
            WaitParticipant::Session(_) => String::new(),
            WaitParticipant::Transaction(_) => format!("; {label}: {party}"),
        };
        let blocked = describe_party("blocker", wait.blocker);
        let rooted =
            if root_blocker == wait.blocker { String::new() } else { describe_party("root blocker", root_blocker) };
        Some(SessionDetail {
            waits_for: Some(format!("{}{blocked}{rooted}", wait.on)),
            blocker_id: wait.blocker.session_id(),
            root_blocker_id: root_blocker.session_id(),
            ..SessionDetail::default()
        })
    }

    fn find_highest_ranked_root_blockers(&self) -> HashMap<WaitParticipant, usize> {
        let waiters = self.waiters_by_blocker();
        let mut first = HashMap::new();
        for (rank, root) in self.roots.iter().enumerate() {
            let mut pending = root.parties.clone();
            while let Some(party) = pending.pop() {
                if let std::collections::hash_map::Entry::Vacant(entry) = first.entry(party) {
                    entry.insert(rank);
                    pending.extend(waiters.get(&party).into_iter().flatten());
                }
            }
        }
        first
    }
}

/// In a wait cycle, prefers the member that directly blocks the waiter.
fn select_root_blocker(root: &RootBlocker, waiter: WaitParticipant, blocker: WaitParticipant) -> WaitParticipant {
    if root.parties.contains(&blocker) {
        return blocker;
    }
    root.parties.iter().copied().find(|&party| party != waiter).unwrap_or(blocker)
}
