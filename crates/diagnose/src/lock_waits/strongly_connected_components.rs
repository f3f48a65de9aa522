//! Detection of wait cycles with Kosaraju's algorithm.

/// Returns the strongly connected components in reverse topological order. The vertices of a component are sorted.
// Every index is a node number, which is less than the length of every list.
#[allow(clippy::indexing_slicing)]
pub(super) fn find_strongly_connected_components(successors: &[Vec<usize>]) -> Vec<Vec<usize>> {
    /// The search uses an explicit stack instead of recursion, because a wait chain can contain thousands of sessions.
    fn append_in_postorder(start: usize, edges: &[Vec<usize>], visited: &mut [bool], order: &mut Vec<usize>) {
        let mut path = Vec::new();
        if !std::mem::replace(&mut visited[start], true) {
            path.push((start, edges[start].iter()));
        }
        while let Some((node, targets)) = path.last_mut() {
            if let Some(&target) = targets.find(|&&target| !std::mem::replace(&mut visited[target], true)) {
                path.push((target, edges[target].iter()));
            } else {
                order.push(*node);
                path.pop();
            }
        }
    }

    let mut predecessors = vec![Vec::new(); successors.len()];
    for (node, targets) in successors.iter().enumerate() {
        for &target in targets {
            predecessors[target].push(node);
        }
    }
    let mut visited = vec![false; successors.len()];
    let mut order = Vec::with_capacity(successors.len());
    for start in 0..successors.len() {
        append_in_postorder(start, &predecessors, &mut visited, &mut order);
    }
    visited.fill(false);
    let mut components = Vec::new();
    for start in order.into_iter().rev() {
        let mut component = Vec::new();
        append_in_postorder(start, successors, &mut visited, &mut component);
        if !component.is_empty() {
            component.sort_unstable();
            components.push(component);
        }
    }
    components
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
