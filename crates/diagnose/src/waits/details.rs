//! The graph by session, in the few words that a list of sessions has room for.

use std::collections::HashMap;

use clew_model::SessionDetail;

use super::graph::{Party, Root, Wait, WaitGraph};

impl WaitGraph {
    /// What each waiting session waits for, and who blocks it: the session on the way to the first root, and that root. Those
    /// whose blocker cannot be seen are among them, without a blocker.
    #[must_use]
    pub fn details(&self) -> HashMap<u64, SessionDetail> {
        let first_roots = self.first_roots();
        let waiting = self.waits.chunk_by(|left, right| left.waiter == right.waiter);
        let explained = waiting.filter_map(|waits| {
            let waiter = waits.first()?.waiter;
            Some((waiter.session()?, self.detail(waiter, waits, &first_roots)?))
        });
        let unexplained = self.unexplained.iter().map(|unexplained| {
            let waits_for = Some(format!("{}: its blocker cannot be seen", unexplained.state));
            (unexplained.session, SessionDetail { waits_for, ..SessionDetail::default() })
        });
        unexplained.chain(explained).collect()
    }

    fn detail(&self, waiter: Party, waits: &[Wait], first_roots: &HashMap<Party, usize>) -> Option<SessionDetail> {
        let root_of = |party: Party| first_roots.get(&party);
        let best = root_of(waiter)?;
        let root = self.roots.get(*best)?;
        let wait = waits.iter().find(|wait| root_of(wait.blocker) == Some(best)).or_else(|| waits.first())?;
        let at_root = at_root(root, waiter, wait.blocker);
        let named = |what: &str, party: Party| match party {
            Party::Session(_) => String::new(),
            Party::Transaction(_) => format!("; {what} is {party}"),
        };
        let blocked = named("its blocker", wait.blocker);
        let rooted = if at_root == wait.blocker { String::new() } else { named("at the root", at_root) };
        Some(SessionDetail {
            waits_for: Some(format!("{}{blocked}{rooted}", wait.on)),
            blocker_id: wait.blocker.session(),
            root_blocker_id: at_root.session(),
            ..SessionDetail::default()
        })
    }

    /// The worst root that each party hangs on or is at, by its place among the roots. One walk from each root, the worst first,
    /// into whoever no worse one holds.
    fn first_roots(&self) -> HashMap<Party, usize> {
        let mut waiters: HashMap<Party, Vec<Party>> = HashMap::new();
        for wait in &self.waits {
            waiters.entry(wait.blocker).or_default().push(wait.waiter);
        }
        let mut first = HashMap::new();
        for (rank, root) in self.roots.iter().enumerate() {
            let mut open = root.parties.clone();
            while let Some(party) = open.pop() {
                if let std::collections::hash_map::Entry::Vacant(place) = first.entry(party) {
                    place.insert(rank);
                    open.extend(waiters.get(&party).into_iter().flatten());
                }
            }
        }
        first
    }
}

/// In a cycle everybody is at the root, the waiter perhaps too: then it is the one that it waits for.
fn at_root(root: &Root, waiter: Party, blocker: Party) -> Party {
    if root.parties.contains(&blocker) {
        return blocker;
    }
    root.parties.iter().copied().find(|&party| party != waiter).unwrap_or(blocker)
}
