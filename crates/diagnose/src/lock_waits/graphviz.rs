//! Graphviz DOT output of the wait graph.

use std::fmt::Write;

use super::display;
use super::graph::{WaitGraph, WaitParticipant};
use crate::terminal::{bytes_to_single_line, truncate_to_width};

const MAX_STATEMENT_WIDTH: usize = 60;

/// Renders the wait graph as a Graphviz `digraph`.
///
/// Edges point from waiters to blockers. A dashed edge means that the blocker is also waiting for the same metadata lock.
/// Root blockers are drawn in bold.
#[must_use]
pub fn render_graphviz_dot(graph: &WaitGraph) -> String {
    let mut out = String::from("digraph waits {\n  rankdir=LR;\n  node [shape=box];\n");
    let is_root = |party: WaitParticipant| graph.roots.iter().any(|root| root.parties.contains(&party));
    for facts in &graph.parties {
        let statement = facts
            .running_statement()
            .map(|statement| truncate_to_width(&bytes_to_single_line(statement), MAX_STATEMENT_WIDTH));
        let label = [Some(display::format_wait_participant(facts, None)), statement]
            .into_iter()
            .flatten()
            .map(|line| escape_label(&line));
        let label = label.collect::<Vec<_>>().join("\\n");
        let style = if is_root(facts.party) { ", style=bold" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {} [label=\"{label}\"{style}];", format_dot_node_id(facts.party));
    }
    for wait in &graph.waits {
        let label = escape_label(&bytes_to_single_line(format!("{}: {}", wait.on, wait.wanted).as_bytes()));
        let style = if wait.queued { ", style=dashed" } else { "" };
        let _ = writeln!(
            out,
            "  {} -> {} [label=\"{label}\"{style}];",
            format_dot_node_id(wait.waiter),
            format_dot_node_id(wait.blocker)
        );
    }
    out.push_str("}\n");
    out
}

fn format_dot_node_id(party: WaitParticipant) -> String {
    match party {
        WaitParticipant::Session(id) => format!("session_{id}"),
        WaitParticipant::Transaction(id) => format!("transaction_{id}"),
    }
}

fn escape_label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
