//! `clew ps URL`: the sessions of a server, in what a terminal has room for.

mod lines;

use clap::Args;
use clew_mysql::{Form, Statements, Whose, take_snapshot_of};

use crate::error::CliError;
use crate::filters::Filters;
use crate::node_url::Target;
use crate::output::{self, Format, Output};
use crate::{notes, snapshot};

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    filters: Filters,
    /// Internal sessions too: replication, the server's own threads, this command
    #[arg(long, help_heading = "Filters (all must hold)")]
    all: bool,
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value = "table", help_heading = "Output")]
    format: Format,
    /// Show templates of statements, with ? for each literal: fit to be handed to others
    #[arg(long, help_heading = "Output")]
    mask: bool,
}

const AFTER_HELP: &str = "\
TIME is seconds in the current state. Sessions that wait for a lock are red; clew locks shows the blockers.

Examples:
  clew ps mysql://root@127.0.0.1/
  clew ps mysql://clew@db.example.com/ --filter active --sort-key state_duration --sort-dir desc
  clew ps mysql://clew@db.example.com/ --all
  clew ps mysql://clew@db.example.com/ --user web --format json | jq .sessions[].session_id";

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let selection = arguments.filters.selection()?;
    let (node, limits) = arguments.target.resolve()?;
    let whose = if arguments.all { Whose::Everybody } else { Whose::Users };
    let statements = Statements::masked(arguments.mask);
    let mut snapshot = take_snapshot_of(whose, &node, &selection, statements, Form::Json, &limits).await?;
    let limitations = notes::describe_all(&snapshot.summary.limitations);
    let writing = tokio::task::spawn_blocking(move || {
        let is_table = arguments.format == Format::Table;
        let mut out = if is_table { Output::open_for_table(None)? } else { Output::open(None)? };
        let written = match arguments.format {
            Format::Json => snapshot::write_json(&mut snapshot, &mut out),
            Format::Table => lines::write(&mut snapshot, &mut out),
        };
        written.map_err(|error| CliError::writing(&out.name(), &error))?;
        out.finish()
    });
    writing.await.map_err(|error| CliError::failed(format!("could not write: {error}")))??;
    output::to_stderr(&limitations);
    Ok(())
}
