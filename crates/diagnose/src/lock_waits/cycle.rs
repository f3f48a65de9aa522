//! Detection of wait cycles with Tarjan's algorithm.

/// Returns the strongly connected components in reverse topological order. The vertices of a component are sorted.
///
/// The search uses an explicit stack instead of recursion, because a wait chain can contain thousands of sessions.
pub(super) fn find_strongly_connected_components(successors: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = StronglyConnectedComponentSearch {
        order: vec![None; successors.len()],
        low: vec![0; successors.len()],
        on_stack: vec![false; successors.len()],
        stack: Vec::new(),
        visited: 0,
        components: Vec::new(),
    };
    for start in 0..successors.len() {
        search.find_components_reachable_from(start, successors);
    }
    search.components
}

struct StronglyConnectedComponentSearch {
    order: Vec<Option<usize>>,
    /// Low-link value of each vertex, as defined in Tarjan's algorithm.
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    visited: usize,
    components: Vec<Vec<usize>>,
}

// Every index is a node number, which is less than the length of every list.
#[allow(clippy::indexing_slicing)]
impl StronglyConnectedComponentSearch {
    fn find_components_reachable_from(&mut self, start: usize, successors: &[Vec<usize>]) {
        if self.order[start].is_some() {
            return;
        }
        let mut path = vec![(start, 0)];
        self.visit_node(start);
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            if let Some(&target) = successors[node].get(*next) {
                *next += 1;
                match self.order[target] {
                    None => {
                        self.visit_node(target);
                        path.push((target, 0));
                    }
                    Some(order) if self.on_stack[target] => self.low[node] = self.low[node].min(order),
                    Some(_) => {}
                }
            } else {
                path.pop();
                if let Some(&(before, _)) = path.last() {
                    self.low[before] = self.low[before].min(self.low[node]);
                }
                self.pop_component_if_root(node);
            }
        }
    }

    fn visit_node(&mut self, node: usize) {
        self.order[node] = Some(self.visited);
        self.low[node] = self.visited;
        self.on_stack[node] = true;
        self.stack.push(node);
        self.visited += 1;
    }

    fn pop_component_if_root(&mut self, node: usize) {
        if self.order[node] != Some(self.low[node]) {
            return;
        }
        let mut component = Vec::new();
        while let Some(member) = self.stack.pop() {
            self.on_stack[member] = false;
            component.push(member);
            if member == node {
                break;
            }
        }
        component.sort_unstable();
        self.components.push(component);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_chain_does_not_overflow_the_stack() {
        let chain: Vec<Vec<usize>> =
            (0..200_000).map(|node| if node == 0 { Vec::new() } else { vec![node - 1] }).collect();
        assert_eq!(find_strongly_connected_components(&chain).len(), 200_000);
    }

    fn compute_reachability(successors: &[Vec<usize>]) -> Vec<Vec<bool>> {
        let count = successors.len();
        let mut reach = vec![vec![false; count]; count];
        for (from, targets) in successors.iter().enumerate() {
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
        fn components_are_mutually_reachable_nodes(edges in proptest::collection::vec((0..12_usize, 0..12_usize), 0..40)) {
            let mut successors = vec![Vec::new(); 12];
            for (from, to) in edges {
                successors[from].push(to);
            }
            let reach = compute_reachability(&successors);
            let components = find_strongly_connected_components(&successors);
            let mut component_of = [0; 12];
            for (at, component) in components.iter().enumerate() {
                for &node in component {
                    component_of[node] = at;
                }
            }
            prop_assert_eq!(components.iter().map(Vec::len).sum::<usize>(), 12);
            for from in 0..12 {
                for to in 0..12 {
                    prop_assert_eq!(component_of[from] == component_of[to], reach[from][to] && reach[to][from]);
                    prop_assert!(!reach[from][to] || component_of[to] <= component_of[from], "blockers come first");
                }
            }
        }
    }
}
