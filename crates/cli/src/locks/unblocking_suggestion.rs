//! Suggests how to unblock the sessions that wait for the first root blocker.

use anstyle::{Effects, Style};
use clew_diagnose::lock_waits::{RecommendedAction, RootBlocker, SessionRole, WaitGraph};
use clew_diagnose::terminal::bytes_to_single_line;
use clew_model::NodeUrl;

use crate::node_url;

/// Returns an empty string if there is no root blocker or if no action is recommended for the first root blocker.
pub(super) fn render_unblocking_suggestion(graph: &WaitGraph, node: &NodeUrl, colors: bool) -> String {
    let Some(root) = graph.roots.first() else { return String::new() };
    let command = |command: String| {
        let style = if colors { Style::new().effects(Effects::BOLD) } else { Style::new() };
        format!("  {style}{command}{style:#}\n")
    };
    match graph.recommend_action(root) {
        None => String::new(),
        Some(RecommendedAction::Kill(id)) => {
            let cycle_note = if root.parties.len() > 1 { " of the cycle" } else { "" };
            let kill = format!("clew kill {} {id}", node_url::format_url_for_shell(node));
            describe_unblocked_session_count(&format!("Killing session {id}{cycle_note}"), root)
                + ":\n"
                + &command(kill)
        }
        Some(RecommendedAction::RollBack(Some(xid))) => {
            let rollback = format!("XA ROLLBACK {};", bytes_to_single_line(xid.as_bytes()));
            describe_unblocked_session_count("Rolling back the prepared transaction", root) + ":\n" + &command(rollback)
        }
        Some(RecommendedAction::RollBack(None)) => {
            describe_unblocked_session_count("Rolling back the prepared transaction", root)
                + ": find its name with XA RECOVER, and roll it back with XA ROLLBACK.\n"
        }
        Some(RecommendedAction::Wait) => {
            "The first root blocker is being rolled back: wait until the rollback completes.\n".to_owned()
        }
        Some(RecommendedAction::DoNotKill(id, role)) => explain_unkillable_blocker(id, role),
        Some(RecommendedAction::Refresh) => {
            "The first root blocker no longer exists: run the command again.\n".to_owned()
        }
    }
}

fn describe_unblocked_session_count(action: &str, root: &RootBlocker) -> String {
    match root.frees {
        0 => format!("{action} alone unblocks no session, because other sessions block the same waiters"),
        1 => format!("{action} unblocks up to 1 session"),
        max => format!("{action} unblocks up to {max} sessions"),
    }
}

fn explain_unkillable_blocker(id: u64, role: SessionRole) -> String {
    match role {
        SessionRole::Applier => {
            format!("Session {id} applies replication and is never killed: wait, or stop replication on the server.\n")
        }
        SessionRole::Clew => format!("Session {id} belongs to Clew and terminates by itself.\n"),
        SessionRole::Internal | SessionRole::User => {
            format!("Session {id} is an internal server thread and is never killed.\n")
        }
    }
}
