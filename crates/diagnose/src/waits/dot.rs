//! The graph in the language of Graphviz.

use std::fmt::Write;

use super::describe;
use super::graph::{Party, WaitGraph};
use crate::terminal::{cut, one_line};

/// Columns of a statement in a node.
const STATEMENT: usize = 60;

/// The graph as a `digraph`: arrows lead from waiters to blockers, roots are bold, waits in a queue dashed.
#[must_use]
pub fn dot(graph: &WaitGraph) -> String {
    let mut out = String::from("digraph waits {\n  rankdir=LR;\n  node [shape=box];\n");
    let is_root = |party: Party| graph.roots.iter().any(|root| root.parties.contains(&party));
    for facts in &graph.parties {
        let statement = facts.statement().map(|statement| cut(&one_line(statement), STATEMENT));
        let label = [Some(describe::party(facts, None)), statement].into_iter().flatten().map(|line| escaped(&line));
        let label = label.collect::<Vec<_>>().join("\\n");
        let style = if is_root(facts.party) { ", style=bold" } else { "" };
        // Writing to a string does not fail.
        let _ = writeln!(out, "  {} [label=\"{label}\"{style}];", name(facts.party));
    }
    for wait in &graph.waits {
        let label = escaped(&one_line(format!("{}: {}", wait.on, wait.wanted).as_bytes()));
        let style = if wait.queued { ", style=dashed" } else { "" };
        let _ = writeln!(out, "  {} -> {} [label=\"{label}\"{style}];", name(wait.waiter), name(wait.blocker));
    }
    out.push_str("}\n");
    out
}

fn name(party: Party) -> String {
    match party {
        Party::Session(id) => format!("session_{id}"),
        Party::Transaction(id) => format!("transaction_{id}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
