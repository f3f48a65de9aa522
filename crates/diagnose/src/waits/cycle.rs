//! Parties that wait for each other.

/// The strongly connected components of a graph, each of its nodes in order, and every component after those that it leads to
/// (Tarjan's algorithm with a stack of its own: a chain may be as long as there are sessions).
pub(super) fn components(leads_to: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        order: vec![None; leads_to.len()],
        low: vec![0; leads_to.len()],
        open: vec![false; leads_to.len()],
        stack: Vec::new(),
        visited: 0,
        found: Vec::new(),
    };
    for start in 0..leads_to.len() {
        search.from(start, leads_to);
    }
    search.found
}

struct Search {
    /// When each node was met.
    order: Vec<Option<usize>>,
    /// The earliest open node that each is known to lead to.
    low: Vec<usize>,
    /// Whether each is on the stack.
    open: Vec<bool>,
    stack: Vec<usize>,
    visited: usize,
    found: Vec<Vec<usize>>,
}

// Every index is a node's number, which is below the length of every list.
#[allow(clippy::indexing_slicing)]
impl Search {
    fn from(&mut self, start: usize, leads_to: &[Vec<usize>]) {
        if self.order[start].is_some() {
            return;
        }
        let mut path = vec![(start, 0)];
        self.meet(start);
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            if let Some(&target) = leads_to[node].get(*next) {
                *next += 1;
                match self.order[target] {
                    None => {
                        self.meet(target);
                        path.push((target, 0));
                    }
                    Some(order) if self.open[target] => self.low[node] = self.low[node].min(order),
                    Some(_) => {}
                }
            } else {
                path.pop();
                if let Some(&(before, _)) = path.last() {
                    self.low[before] = self.low[before].min(self.low[node]);
                }
                self.close(node);
            }
        }
    }

    fn meet(&mut self, node: usize) {
        self.order[node] = Some(self.visited);
        self.low[node] = self.visited;
        self.open[node] = true;
        self.stack.push(node);
        self.visited += 1;
    }

    /// Takes a whole component off the stack if `node` is the first of it.
    fn close(&mut self, node: usize) {
        if self.order[node] != Some(self.low[node]) {
            return;
        }
        let mut component = Vec::new();
        while let Some(member) = self.stack.pop() {
            self.open[member] = false;
            component.push(member);
            if member == node {
                break;
            }
        }
        component.sort_unstable();
        self.found.push(component);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_chain_as_long_as_a_server_has_sessions_needs_no_deep_stack() {
        let chain: Vec<Vec<usize>> =
            (0..200_000).map(|node| if node == 0 { Vec::new() } else { vec![node - 1] }).collect();
        assert_eq!(components(&chain).len(), 200_000);
    }

    fn reaches(leads_to: &[Vec<usize>]) -> Vec<Vec<bool>> {
        let count = leads_to.len();
        let mut reach = vec![vec![false; count]; count];
        for (from, targets) in leads_to.iter().enumerate() {
            reach[from][from] = true;
            for &to in targets {
                reach[from][to] = true;
            }
        }
        for middle in 0..count {
            for from in 0..count {
                for to in 0..count {
                    reach[from][to] |= reach[from][middle] && reach[middle][to];
                }
            }
        }
        reach
    }

    proptest! {
        #[test]
        fn components_are_those_who_reach_each_other(edges in proptest::collection::vec((0..12_usize, 0..12_usize), 0..40)) {
            let mut leads_to = vec![Vec::new(); 12];
            for (from, to) in edges {
                leads_to[from].push(to);
            }
            let reach = reaches(&leads_to);
            let found = components(&leads_to);
            let mut place = [0; 12];
            for (at, component) in found.iter().enumerate() {
                for &node in component {
                    place[node] = at;
                }
            }
            prop_assert_eq!(found.iter().map(Vec::len).sum::<usize>(), 12);
            for from in 0..12 {
                for to in 0..12 {
                    prop_assert_eq!(place[from] == place[to], reach[from][to] && reach[to][from]);
                    prop_assert!(!reach[from][to] || place[to] <= place[from], "blockers come first");
                }
            }
        }
    }
}
