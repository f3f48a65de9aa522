//! Suggested remedy for the first root blocker, printed below the lock tree.

use anstyle::{Effects, Style};
use clew_diagnose::terminal::one_line;
use clew_diagnose::waits::{Remedy, Root, SessionRole, WaitGraph};
use clew_model::NodeUrl;

use crate::node_url;

/// Renders the command that removes the first root blocker, and its impact.
/// Returns an empty string if no root blocker is known.
pub(super) fn suggest_remedy(graph: &WaitGraph, node: &NodeUrl, colours: bool) -> String {
    let Some(root) = graph.roots.first() else { return String::new() };
    let command = |command: String| {
        let style = if colours { Style::new().effects(Effects::BOLD) } else { Style::new() };
        format!("  {style}{command}{style:#}\n")
    };
    match graph.remedy(root) {
        None => String::new(),
        Some(Remedy::Kill(id)) => {
            let cycle_note = if root.parties.len() > 1 { ", one of the cycle," } else { "" };
            let kill = format!("clew kill {} {id}", node_url::format_url_for_shell(node));
            format_impact(&format!("session {id}{cycle_note}"), root) + ":\n" + &command(kill)
        }
        Some(Remedy::RollBack(Some(xid))) => {
            let rollback = format!("XA ROLLBACK {};", one_line(xid.as_bytes()));
            format_impact("the prepared transaction", root) + ":\n" + &command(rollback)
        }
        Some(Remedy::RollBack(None)) => {
            format_impact("the prepared transaction", root) + ": XA RECOVER names it, XA ROLLBACK ends it.\n"
        }
        Some(Remedy::Wait) => "The first root is being rolled back; nothing ends that sooner.\n".to_owned(),
        Some(Remedy::DoNotKill(id, role)) => explain_unkillable(id, role),
        Some(Remedy::Refresh) => "The first root was gone already: look again.\n".to_owned(),
    }
}

fn format_impact(what: &str, root: &Root) -> String {
    match root.frees {
        0 => format!("Ending {what} alone unblocks no session: others are in the way too"),
        max => format!("Ending {what} unblocks up to {max}"),
    }
}

/// Explains why Clew does not kill a root blocker.
fn explain_unkillable(id: u64, role: SessionRole) -> String {
    match role {
        SessionRole::Applier => {
            format!("Session {id} applies replication, and is never killed: wait, or stop replication there.\n")
        }
        SessionRole::Clew => format!("Session {id} is Clew's own, and ends on its own.\n"),
        SessionRole::Internal | SessionRole::User => {
            format!("Session {id} is a thread of the server itself, which is never killed.\n")
        }
    }
}
