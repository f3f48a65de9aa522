//! `clew ps URL`: lists a server's sessions in a table that fits the terminal width.

use clap::Args;
use clew_mysql::{ConnectionRegistry, SessionScope, SnapshotFormat, SnapshotOptions, take_snapshot};

use crate::error::CliError;
use crate::node_url::NodeConnectionArgs;
use crate::output::CommandOutputFormat;
use crate::session_filters::SessionFilterArgs;
use crate::{session_table, snapshot};

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct PsArgs {
    #[command(flatten)]
    node: NodeConnectionArgs,
    #[command(flatten)]
    filters: SessionFilterArgs,
    /// Include internal sessions: replication threads, other server threads and this command's own session
    #[arg(long, help_heading = "Filters (all must match)")]
    all: bool,
    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    format: CommandOutputFormat,
    /// Replace each literal in a statement with ?
    #[arg(long, help_heading = "Output")]
    mask: bool,
}

const AFTER_HELP: &str = "\
TIME is the number of seconds in the current state. Sessions waiting for a lock are red; clew locks shows their blockers.

Examples:
  clew ps mysql://root@127.0.0.1/
  clew ps mysql://clew@db.example.com/ --filter active --sort-key state_duration --sort-dir desc
  clew ps mysql://clew@db.example.com/ --all
  clew ps mysql://clew@db.example.com/ --user web --format json | jq .sessions[].session_id";

pub(crate) async fn run(arguments: PsArgs, registry: ConnectionRegistry) -> Result<(), CliError> {
    let selection = arguments.filters.try_into_session_selection()?;
    let (node, connector) = arguments.node.parse_node_url_and_timeouts(registry)?;
    let scope = if arguments.all { SessionScope::All } else { SessionScope::Users };
    let masked = arguments.mask;
    let options = SnapshotOptions { selection, scope, masked, ..SnapshotOptions::new(SnapshotFormat::Json) };
    let snapshot = take_snapshot(&node, &options, &connector).await?;
    let format = arguments.format;
    snapshot::write_snapshot(snapshot, None, format == CommandOutputFormat::Table, move |snapshot, out| match format {
        CommandOutputFormat::Json => snapshot::write_json_snapshot(snapshot, out),
        CommandOutputFormat::Table => session_table::write_ps_table(snapshot, out),
    })
    .await
}
