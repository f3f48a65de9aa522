//! `clew audit …`: who did what, from where, and how it ended.

mod checkpoint;
mod export;
mod filters;
mod row;
mod verify;

use clap::{Args, Subcommand};
use clew_store::{AuditFilter, AuditRecord, Store};
use serde_json::json;

use crate::directory::DataDir;
use crate::error::CliError;
use filters::Filters;

/// Rows that are read at once.
const BATCH: u32 = 1000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(Box<List>),
    Export(Box<export::Arguments>),
    Verify(verify::Arguments),
    Checkpoint(checkpoint::Arguments),
}

/// Show the newest rows that match, the last one last.
#[derive(Debug, Args)]
#[command(after_help = LIST_HELP)]
struct List {
    #[command(flatten)]
    filters: Filters,
    /// Rows to show
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    data_dir: DataDir,
}

const LIST_HELP: &str = "\
Examples:
  clew audit list
  clew audit list --operation CreateToken --outcome denied --from 24h
  clew audit list --instance shop --format json";

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.action {
        Action::List(arguments) => list(*arguments).await,
        Action::Export(arguments) => export::run(*arguments).await,
        Action::Verify(arguments) => verify::run(arguments).await,
        Action::Checkpoint(arguments) => checkpoint::run(arguments).await,
    }
}

async fn list(arguments: List) -> Result<(), CliError> {
    let store = arguments.data_dir.open().await?;
    let filter = arguments.filters.resolve(&store).await?;
    let mut newest = store.newest_audit(&filter, i64::MAX, arguments.limit).await?;
    // The newest last, where a terminal ends.
    newest.reverse();
    arguments
        .data_dir
        .format
        .say(|| row::list(&newest), || json!({ "rows": newest.iter().map(row::value).collect::<Vec<_>>() }))
}

/// Every row that matches, the oldest first.
async fn each(
    store: &Store,
    filter: &AuditFilter,
    mut take: impl FnMut(AuditRecord) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut after = 0;
    loop {
        let rows = store.audit(filter, after, BATCH).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.seq;
        rows.into_iter().try_for_each(&mut take)?;
    }
}
