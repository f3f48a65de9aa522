//! Detection and ranking of root blockers.

use std::collections::{HashMap, HashSet};

use super::graph::{LockWait, RootBlocker, WaitParticipant};
use super::strongly_connected_components;

/// `parties` must list all waiters and blockers in ascending order.
pub(super) fn rank_root_blockers(
    waits: &[LockWait],
    parties: &[WaitParticipant],
) -> (Vec<RootBlocker>, Vec<Vec<WaitParticipant>>) {
    let adjacency = AdjacencyLists::new(waits, parties);
    let components = strongly_connected_components::find_strongly_connected_components(&adjacency.blockers);
    let root_members = find_root_blocker_components(&components, &adjacency);
    let unblocked = count_waiters_with_single_root_blocker(&components, &root_members, &adjacency);
    let mut reach_cache = HashMap::new();
    let mut roots: Vec<RootBlocker> = root_members
        .iter()
        .map(|members| {
            let direct = adjacency.find_direct_waiters(members);
            // Several root blockers often block the same waiters, so the counts are cached by list of direct waiters.
            let (holds, longest_seconds) =
                *reach_cache.entry(direct).or_insert_with_key(|direct| adjacency.count_reachable_waiters(direct));
            let longest_in_cycle = if members.len() > 1 { adjacency.max_wait_seconds(members) } else { 0 };
            RootBlocker {
                parties: adjacency.participants_at_indexes(members),
                holds: holds + members.len() - 1,
                frees: unblocked.get(members).copied().unwrap_or(0) + members.len() - 1,
                longest_seconds: longest_seconds.max(longest_in_cycle),
            }
        })
        .collect();
    roots.sort_by(|left, right| {
        (right.holds, right.longest_seconds, &left.parties).cmp(&(left.holds, left.longest_seconds, &right.parties))
    });
    let mut cycles: Vec<Vec<WaitParticipant>> = components
        .iter()
        .filter(|members| members.len() > 1)
        .map(|members| adjacency.participants_at_indexes(members))
        .collect();
    cycles.sort();
    (roots, cycles)
}

/// Graph nodes are indexes into `parties`.
struct AdjacencyLists<'a> {
    parties: &'a [WaitParticipant],
    blockers: Vec<Vec<usize>>,
    waiters: Vec<Vec<usize>>,
    seconds: Vec<u64>,
}

impl<'a> AdjacencyLists<'a> {
    fn new(waits: &[LockWait], parties: &'a [WaitParticipant]) -> Self {
        let mut adjacency = Self {
            parties,
            blockers: vec![Vec::new(); parties.len()],
            waiters: vec![Vec::new(); parties.len()],
            seconds: vec![0; parties.len()],
        };
        let index_of = |party| parties.binary_search(party).ok();
        for wait in waits {
            let (Some(waiter), Some(blocker)) = (index_of(&wait.waiter), index_of(&wait.blocker)) else { continue };
            adjacency.add_edge(waiter, blocker, wait.seconds.unwrap_or(0));
        }
        adjacency
    }

    fn add_edge(&mut self, waiter: usize, blocker: usize, seconds: u64) {
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

    fn direct_blockers(&self, node: usize) -> &[usize] {
        self.blockers.get(node).map_or(&[], Vec::as_slice)
    }

    fn participants_at_indexes(&self, members: &[usize]) -> Vec<WaitParticipant> {
        members.iter().filter_map(|&node| self.parties.get(node).copied()).collect()
    }

    fn max_wait_seconds(&self, nodes: &[usize]) -> u64 {
        nodes.iter().filter_map(|&node| self.seconds.get(node).copied()).max().unwrap_or(0)
    }

    fn find_direct_waiters(&self, members: &[usize]) -> Vec<usize> {
        let waiters = members.iter().filter_map(|&node| self.waiters.get(node)).flatten().copied();
        let mut waiters: Vec<usize> = waiters.filter(|waiter| members.binary_search(waiter).is_err()).collect();
        waiters.sort_unstable();
        waiters.dedup();
        waiters
    }

    /// Returns the number of direct and indirect waiters and the duration of the longest wait, in seconds.
    fn count_reachable_waiters(&self, first: &[usize]) -> (usize, u64) {
        let mut visited: HashSet<usize> = first.iter().copied().collect();
        let mut pending: Vec<usize> = first.to_vec();
        let mut longest = 0;
        while let Some(node) = pending.pop() {
            longest = longest.max(self.max_wait_seconds(&[node]));
            pending.extend(self.waiters.get(node).into_iter().flatten().filter(|&&waiter| visited.insert(waiter)));
        }
        (visited.len(), longest)
    }
}

fn find_root_blocker_components<'c>(
    components: &'c [Vec<usize>],
    adjacency: &AdjacencyLists<'_>,
) -> Vec<&'c Vec<usize>> {
    let waits_outside = |members: &[usize]| {
        members
            .iter()
            .any(|&node| adjacency.direct_blockers(node).iter().any(|blocker| members.binary_search(blocker).is_err()))
    };
    components.iter().filter(|members| !waits_outside(members)).collect()
}

/// In `components`, blockers must precede their waiters.
fn count_waiters_with_single_root_blocker<'c>(
    components: &'c [Vec<usize>],
    roots: &[&'c Vec<usize>],
    adjacency: &AdjacencyLists<'_>,
) -> HashMap<&'c Vec<usize>, usize> {
    let mut only_roots: HashMap<usize, Option<&'c Vec<usize>>> = HashMap::new();
    let roots: HashSet<&Vec<usize>> = roots.iter().copied().collect();
    let mut count = HashMap::new();
    for members in components {
        let owner = if roots.contains(members) {
            Some(members)
        } else {
            let outside = members
                .iter()
                .flat_map(|&node| adjacency.direct_blockers(node))
                .filter(|&blocker| members.binary_search(blocker).is_err());
            find_common_value(outside.map(|blocker| only_roots.get(blocker).copied().flatten()))
        };
        only_roots.extend(members.iter().map(|&node| (node, owner)));
        if let Some(root) = owner.filter(|&root| root != members) {
            *count.entry(root).or_insert(0) += members.len();
        }
    }
    count
}

fn find_common_value<T: PartialEq + Copy>(mut all: impl Iterator<Item = Option<T>>) -> Option<T> {
    let first = all.next()??;
    all.all(|other| other == Some(first)).then_some(first)
}
