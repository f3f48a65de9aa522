//! `clew locks URL`: shows a server's lock waits and root blockers.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Effects, Style};
use clap::{Args, ValueEnum};
use clew_diagnose::lock_waits::{
    self, RecommendedAction, RootBlocker, SessionRole, TreeLayout, TreeLine, TreeLineKind, WaitGraph,
};
use clew_diagnose::terminal::bytes_to_single_line;
use clew_model::NodeUrl;
use clew_mysql::{ConnectionRegistry, read_lock_waits};

use crate::error::CliError;
use crate::node_url::{self, NodeConnectionArgs};
use crate::{limitations, output};

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct LocksArgs {
    #[command(flatten)]
    node: NodeConnectionArgs,
    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "tree")]
    format: LocksOutputFormat,
    /// Replace each literal in a statement with ?, and omit the key values of locked rows
    #[arg(long)]
    mask: bool,
}

const AFTER_HELP: &str = "\
Covers row locks, table locks, metadata locks, flushes, global read locks and user locks. Each root blocker heads a tree of its direct
and indirect waiters. \"blocks\" counts all waiters of a root; \"unblocks up to\" counts the waiters that wait for no other root. The last
lines suggest the command that removes the first root blocker.

Examples:
  clew locks mysql://root@127.0.0.1/
  clew locks mysql://clew@db.example.com/ --mask
  clew locks mysql://clew@db.example.com/ --format json | jq .roots[0]
  clew locks mysql://clew@db.example.com/ --format dot | dot -Tsvg > locks.svg";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LocksOutputFormat {
    /// Human-readable tree
    Tree,
    /// JSON object with the lock waits, root blockers, wait cycles and sessions
    Json,
    /// Graph for Graphviz
    Dot,
}

pub(crate) async fn run(arguments: LocksArgs, registry: ConnectionRegistry) -> Result<(), CliError> {
    let (node, connector) = arguments.node.parse_node_url_and_timeouts(registry)?;
    let graph = read_lock_waits(&node, &connector).await?.graph;
    let graph = if arguments.mask { graph.with_masked_literals() } else { graph };
    match arguments.format {
        LocksOutputFormat::Tree => {
            let colors = output::stdout_supports_colors();
            let text = render_wait_graph(&graph, &node.address(), output::terminal_width(), colors);
            output::write_stdout_with_colors(&(text + &render_unblocking_suggestion(&graph, &node, colors)))?;
        }
        LocksOutputFormat::Json => output::write_stdout(&output::to_json_text(&graph)?)?,
        LocksOutputFormat::Dot => output::write_stdout(&lock_waits::render_graphviz_dot(&graph))?,
    }
    output::write_stderr(&limitations::format_limitations(&graph.limitations));
    Ok(())
}

fn render_wait_graph(graph: &WaitGraph, address: &str, width: usize, colors: bool) -> String {
    let lines = lock_waits::render_tree(graph, TreeLayout { width, ..TreeLayout::default() });
    let mut text: String = lines.iter().map(|line| format_wait_tree_line(line, colors)).collect();
    if !text.is_empty() {
        text.push('\n');
    }
    text + &summarize_lock_waits(graph, address)
}

fn format_wait_tree_line(line: &TreeLine, colors: bool) -> String {
    let style = match line.kind {
        _ if !colors => Style::new(),
        TreeLineKind::Root => Style::new().fg_color(Some(AnsiColor::Red.into())).effects(Effects::BOLD),
        TreeLineKind::Unexplained => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
        TreeLineKind::Detail | TreeLineKind::Folded => Style::new().effects(Effects::DIMMED),
        TreeLineKind::Waiter | TreeLineKind::Statement => Style::new(),
    };
    format!("{style}{}{style:#}\n", line.text.trim_end())
}

fn summarize_lock_waits(graph: &WaitGraph, address: &str) -> String {
    let mut waiters: Vec<_> = graph.waits.iter().map(|wait| wait.waiter).collect();
    waiters.dedup();
    let (waiting, unexplained) = (waiters.len(), graph.unexplained.len());
    let mut text = match waiting {
        0 if unexplained == 0 => format!("No session waits for a lock on {address}"),
        0 => String::new(),
        1 => format!("1 session waits on {address}, "),
        many => format!("{many} sessions wait on {address}, "),
    };
    if waiting > 0 {
        let cycles = graph.roots.iter().filter(|root| root.parties.len() > 1).count();
        let _ = match graph.roots.len() {
            1 if cycles == 1 => write!(text, "in a cycle"),
            1 => write!(text, "blocked by 1 root blocker"),
            many => write!(text, "blocked by {many} root blockers"),
        };
    }
    let _ = match (unexplained, waiting) {
        (0, _) => Ok(()),
        (1, 0) => write!(text, "1 session waits on {address}, and its blocker is unknown"),
        (many, 0) => write!(text, "{many} sessions wait on {address}, and their blockers are unknown"),
        (1, _) => write!(text, "; the blocker of 1 more session is unknown"),
        (many, _) => write!(text, "; the blockers of {many} more sessions are unknown"),
    };
    text.push_str(".\n");
    if graph.may_miss_lock_waits() {
        text.push_str("The list may be incomplete: see the notes about missing data.\n");
    }
    text
}

fn render_unblocking_suggestion(graph: &WaitGraph, node: &NodeUrl, colors: bool) -> String {
    let Some(root) = graph.roots.first() else { return String::new() };
    let with_command = |action: &str, command: String| {
        let style = if colors { Style::new().effects(Effects::BOLD) } else { Style::new() };
        format!("{}:\n  {style}{command}{style:#}\n", describe_unblocked_session_count(action, root))
    };
    let roll_back = "Rolling back the prepared transaction";
    match graph.recommend_action(root) {
        None => String::new(),
        Some(RecommendedAction::Kill(id)) => {
            let cycle_note = if root.parties.len() > 1 { " of the cycle" } else { "" };
            let kill = format!("clew kill {} {id}", node_url::format_url_for_shell(node));
            with_command(&format!("Killing session {id}{cycle_note}"), kill)
        }
        Some(RecommendedAction::RollBack(Some(xid))) => {
            with_command(roll_back, format!("XA ROLLBACK {};", bytes_to_single_line(xid.as_bytes())))
        }
        Some(RecommendedAction::RollBack(None)) => format!(
            "{}: find its name with XA RECOVER, and roll it back with XA ROLLBACK.\n",
            describe_unblocked_session_count(roll_back, root)
        ),
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
    let explanation = match role {
        SessionRole::Applier => "applies replication and is never killed: wait, or stop replication on the server",
        SessionRole::Clew => "belongs to Clew and terminates by itself",
        SessionRole::Internal | SessionRole::User => "is an internal server thread and is never killed",
    };
    format!("Session {id} {explanation}.\n")
}
