//! Root blockers: who they are, how many hang on each, and which is the worst.

use std::collections::{HashMap, HashSet};

use super::cycle;
use super::graph::{Party, Root, Wait};

/// Roots, the worst first, and cycles, of waits that are sorted by waiter.
pub(super) fn roots(waits: &[Wait], parties: &[Party]) -> (Vec<Root>, Vec<Vec<Party>>) {
    let queue = Queue::new(waits, parties);
    let components = cycle::components(&queue.blockers);
    let ends = root_components(&components, &queue);
    let frees = freed(&components, &ends, &queue);
    let mut held = HashMap::new();
    let mut roots: Vec<Root> = ends
        .iter()
        .map(|members| {
            let direct = queue.direct_waiters(members);
            // Transactions that read one table block the same waiters: all of them hold what one of them holds.
            let (holds, longest_seconds) = *held.entry(direct).or_insert_with_key(|direct| queue.reach(direct));
            Root {
                parties: queue.named(members),
                holds: holds + members.len() - 1,
                frees: frees.get(members).copied().unwrap_or(0) + members.len() - 1,
                longest_seconds: longest_seconds.max(if members.len() > 1 { queue.longest(members) } else { 0 }),
            }
        })
        .collect();
    roots.sort_by(|left, right| {
        (right.holds, right.longest_seconds)
            .cmp(&(left.holds, left.longest_seconds))
            .then(left.parties.cmp(&right.parties))
    });
    let mut cycles: Vec<Vec<Party>> =
        components.iter().filter(|members| members.len() > 1).map(|members| queue.named(members)).collect();
    cycles.sort();
    (roots, cycles)
}

/// The waits between parties, both ways, by the parties' places in their list.
struct Queue<'a> {
    parties: &'a [Party],
    blockers: Vec<Vec<usize>>,
    waiters: Vec<Vec<usize>>,
    seconds: Vec<u64>,
}

impl<'a> Queue<'a> {
    fn new(waits: &[Wait], parties: &'a [Party]) -> Self {
        let mut queue = Self {
            parties,
            blockers: vec![Vec::new(); parties.len()],
            waiters: vec![Vec::new(); parties.len()],
            seconds: vec![0; parties.len()],
        };
        let place = |party| parties.binary_search(party).ok();
        for wait in waits {
            let (Some(waiter), Some(blocker)) = (place(&wait.waiter), place(&wait.blocker)) else { continue };
            queue.add(waiter, blocker, wait.seconds.unwrap_or(0));
        }
        queue
    }

    fn add(&mut self, waiter: usize, blocker: usize, seconds: u64) {
        if let Some(blockers) = self.blockers.get_mut(waiter) {
            blockers.push(blocker);
        }
        if let Some(waiters) = self.waiters.get_mut(blocker) {
            waiters.push(waiter);
        }
        if let Some(longest) = self.seconds.get_mut(waiter) {
            *longest = seconds.max(*longest);
        }
    }

    fn blockers_of(&self, node: usize) -> &[usize] {
        self.blockers.get(node).map_or(&[], Vec::as_slice)
    }

    fn named(&self, members: &[usize]) -> Vec<Party> {
        members.iter().filter_map(|&node| self.parties.get(node).copied()).collect()
    }

    fn longest(&self, nodes: &[usize]) -> u64 {
        nodes.iter().filter_map(|&node| self.seconds.get(node).copied()).max().unwrap_or(0)
    }

    /// Those outside who wait for a member themselves.
    fn direct_waiters(&self, members: &[usize]) -> Vec<usize> {
        let waiters = members.iter().filter_map(|&node| self.waiters.get(node)).flatten().copied();
        let mut waiters: Vec<usize> = waiters.filter(|waiter| members.binary_search(waiter).is_err()).collect();
        waiters.sort_unstable();
        waiters.dedup();
        waiters
    }

    /// How many these are together with all who wait for them, and the longest that any of those waits.
    fn reach(&self, first: &[usize]) -> (usize, u64) {
        let mut met: HashSet<usize> = first.iter().copied().collect();
        let mut open: Vec<usize> = first.to_vec();
        let mut longest = 0;
        while let Some(node) = open.pop() {
            longest = longest.max(self.longest(&[node]));
            open.extend(self.waiters.get(node).into_iter().flatten().filter(|&&waiter| met.insert(waiter)));
        }
        (met.len(), longest)
    }
}

/// Components that wait for nobody outside.
fn root_components<'c>(components: &'c [Vec<usize>], queue: &Queue<'_>) -> Vec<&'c Vec<usize>> {
    let waits_outside = |members: &[usize]| {
        members
            .iter()
            .any(|&node| queue.blockers_of(node).iter().any(|blocker| members.binary_search(blocker).is_err()))
    };
    components.iter().filter(|members| !waits_outside(members)).collect()
}

/// For each root, how many parties hang on it and on no other root. Blockers come before their waiters in `components`, so that
/// one pass says of each component whose it is.
fn freed<'c>(
    components: &'c [Vec<usize>],
    roots: &[&'c Vec<usize>],
    queue: &Queue<'_>,
) -> HashMap<&'c Vec<usize>, usize> {
    let mut only_root: HashMap<usize, Option<&'c Vec<usize>>> = HashMap::new();
    let roots: HashSet<&Vec<usize>> = roots.iter().copied().collect();
    let mut count = HashMap::new();
    for members in components {
        let owner = if roots.contains(members) {
            Some(members)
        } else {
            let outside = members
                .iter()
                .flat_map(|&node| queue.blockers_of(node))
                .filter(|&blocker| members.binary_search(blocker).is_err());
            common(outside.map(|blocker| only_root.get(blocker).copied().flatten()))
        };
        only_root.extend(members.iter().map(|&node| (node, owner)));
        if let Some(root) = owner.filter(|&root| root != members) {
            *count.entry(root).or_insert(0) += members.len();
        }
    }
    count
}

/// The one thing that all are; nothing if they differ or one is nothing.
fn common<T: PartialEq + Copy>(mut all: impl Iterator<Item = Option<T>>) -> Option<T> {
    let first = all.next()??;
    all.all(|other| other == Some(first)).then_some(first)
}
