//! Cycles of parties that wait for each other.

/// Strongly connected components of a graph, with sorted nodes; each component follows those that it leads to.
///
/// Tarjan's algorithm with an explicit stack, because a chain can be as long as the session list.
pub(super) fn strongly_connected_components(successors: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = ComponentSearch {
        order: vec![None; successors.len()],
        low: vec![0; successors.len()],
        on_stack: vec![false; successors.len()],
        stack: Vec::new(),
        visited: 0,
        components: Vec::new(),
    };
    for start in 0..successors.len() {
        search.search_from(start, successors);
    }
    search.components
}

struct ComponentSearch {
    /// Visit number of each node.
    order: Vec<Option<usize>>,
    /// Lowest visit number of a node on the stack that each node reaches.
    low: Vec<usize>,
    /// Whether each node is on the stack.
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    visited: usize,
    components: Vec<Vec<usize>>,
}

// Every index is a node number, which is below the length of every list.
#[allow(clippy::indexing_slicing)]
impl ComponentSearch {
    fn search_from(&mut self, start: usize, successors: &[Vec<usize>]) {
        if self.order[start].is_some() {
            return;
        }
        let mut path = vec![(start, 0)];
        self.visit(start);
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            if let Some(&target) = successors[node].get(*next) {
                *next += 1;
                match self.order[target] {
                    None => {
                        self.visit(target);
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
                self.pop_component(node);
            }
        }
    }

    fn visit(&mut self, node: usize) {
        self.order[node] = Some(self.visited);
        self.low[node] = self.visited;
        self.on_stack[node] = true;
        self.stack.push(node);
        self.visited += 1;
    }

    /// Pops a component off the stack if `node` is its first visited node.
    fn pop_component(&mut self, node: usize) {
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
        assert_eq!(strongly_connected_components(&chain).len(), 200_000);
    }

    fn reaches(successors: &[Vec<usize>]) -> Vec<Vec<bool>> {
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
            let reach = reaches(&successors);
            let components = strongly_connected_components(&successors);
            let mut place = [0; 12];
            for (at, component) in components.iter().enumerate() {
                for &node in component {
                    place[node] = at;
                }
            }
            prop_assert_eq!(components.iter().map(Vec::len).sum::<usize>(), 12);
            for from in 0..12 {
                for to in 0..12 {
                    prop_assert_eq!(place[from] == place[to], reach[from][to] && reach[to][from]);
                    prop_assert!(!reach[from][to] || place[to] <= place[from], "blockers come first");
                }
            }
        }
    }
}
