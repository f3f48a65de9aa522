//! `clew audit …`: lists, exports and verifies audit rows, and creates checkpoints of the audit log.

mod checkpoint;
mod export;
mod filters;
mod row;
mod verify;

use clap::{Args, Subcommand};
use clew_store::{AuditFilter, AuditRecord, Store};
use serde_json::json;

use crate::error::CliError;
use crate::store_args::StoreAndOutputFormatArgs;
use filters::AuditFilterArgs;

const MAX_AUDIT_ROWS_PER_QUERY: u32 = 1000;

#[derive(Debug, Args)]
pub(crate) struct AuditCommandArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    List(Box<ListArgs>),
    Export(Box<export::ExportArgs>),
    Verify(verify::VerifyArgs),
    Checkpoint(checkpoint::CheckpointArgs),
}

/// List the newest audit rows that match the filters, in chronological order.
#[derive(Debug, Args)]
#[command(after_help = LIST_COMMAND_AFTER_HELP)]
struct ListArgs {
    #[command(flatten)]
    filters: AuditFilterArgs,
    /// Maximum number of rows
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    store_args: StoreAndOutputFormatArgs,
}

const LIST_COMMAND_AFTER_HELP: &str = "\
Examples:
  clew audit list
  clew audit list --operation CreateToken --outcome denied --from 24h
  clew audit list --instance shop --format json";

pub(crate) async fn run(arguments: AuditCommandArgs) -> Result<(), CliError> {
    match arguments.command {
        AuditCommand::List(arguments) => list_audit_rows(*arguments).await,
        AuditCommand::Export(arguments) => export::run(*arguments).await,
        AuditCommand::Verify(arguments) => verify::run(arguments).await,
        AuditCommand::Checkpoint(arguments) => checkpoint::run(arguments).await,
    }
}

async fn list_audit_rows(arguments: ListArgs) -> Result<(), CliError> {
    let store = arguments.store_args.open_store().await?;
    let filter = arguments.filters.resolve_audit_filter(&store).await?;
    let mut newest = store.audit().list_audit_rows_before_seq(&filter, i64::MAX, arguments.limit).await?;
    // Reverse to chronological order, so that the newest rows are at the bottom of the terminal.
    newest.reverse();
    arguments.store_args.format.print(
        || row::render_audit_table(&newest),
        || json!({ "rows": newest.iter().map(row::audit_row_to_json).collect::<Vec<_>>() }),
    )
}

/// Calls `handle` for each audit row that matches the filter, oldest first.
async fn for_each_audit_row(
    store: &Store,
    filter: &AuditFilter,
    mut handle: impl FnMut(AuditRecord) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut after = 0;
    loop {
        let rows = store.audit().list_audit_rows_after_seq(filter, after, MAX_AUDIT_ROWS_PER_QUERY).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.seq;
        rows.into_iter().try_for_each(&mut handle)?;
    }
}
