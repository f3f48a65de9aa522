//! Who can go on once some parties are gone.

use std::collections::{BTreeSet, HashMap};

use super::graph::{Party, WaitGraph};

impl WaitGraph {
    /// Those that wait for nobody any more, or only for such as these, once all of these parties are gone. In order; without the parties
    /// themselves.
    #[must_use]
    pub fn freed_by(&self, gone: &[Party]) -> Vec<Party> {
        let mut waiters: HashMap<Party, Vec<Party>> = HashMap::new();
        for wait in &self.waits {
            waiters.entry(wait.blocker).or_default().push(wait.waiter);
        }
        let mut out_of_the_way: BTreeSet<Party> = gone.iter().copied().collect();
        let mut open: Vec<Party> = gone.to_vec();
        let mut freed = BTreeSet::new();
        while let Some(party) = open.pop() {
            for &waiter in waiters.get(&party).into_iter().flatten() {
                let waits_on = || self.waits_of(waiter).iter().any(|wait| !out_of_the_way.contains(&wait.blocker));
                if out_of_the_way.contains(&waiter) || waits_on() {
                    continue;
                }
                out_of_the_way.insert(waiter);
                freed.insert(waiter);
                open.push(waiter);
            }
        }
        freed.into_iter().collect()
    }
}
