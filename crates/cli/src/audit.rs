//! `clew audit …`: lists, exports and verifies audit rows, and creates checkpoints of the audit log.

mod export;
mod filters;
mod row_format;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clew_store::{AuditFilter, AuditRecord, Store};

use crate::command_group::CommandGroup;
use crate::error::CliError;
use crate::store_args::{StoreAndOutputFormatArgs, StoreArgs};
use filters::AuditFilterArgs;

const MAX_AUDIT_ROWS_PER_QUERY: u32 = 1000;

pub(crate) type AuditCommandArgs = CommandGroup<AuditCommand>;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List the newest audit rows that match the filters, in chronological order.
    #[command(after_help = LIST_COMMAND_AFTER_HELP)]
    List(Box<ListArgs>),
    /// Export all matching rows, oldest first.
    #[command(after_help = export::AFTER_HELP)]
    Export(Box<export::ExportArgs>),
    /// Verify that no audit log rows are missing or modified. Exits with code 1 if the verification fails.
    #[command(after_help = verify::VERIFY_AFTER_HELP)]
    Verify {
        /// File with an audit log checkpoint; verification fails if an audit row up to the checkpoint is missing (repeatable)
        #[arg(long = "checkpoint", value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
        #[command(flatten)]
        store_args: StoreAndOutputFormatArgs,
    },
    /// Write an audit log checkpoint: a file with the sequence number and MAC of the newest audit row.
    /// Audit verification uses the file to detect whether rows written before the checkpoint were removed.
    #[command(after_help = verify::CHECKPOINT_AFTER_HELP)]
    Checkpoint {
        /// Output file, or - for stdout
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        output: PathBuf,
        #[command(flatten)]
        store_args: StoreArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
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
        AuditCommand::List(arguments) => list_audit_rows(&arguments).await,
        AuditCommand::Export(arguments) => export::run(&arguments).await,
        AuditCommand::Verify { checkpoints, store_args } => verify::verify_audit_log(&checkpoints, &store_args).await,
        AuditCommand::Checkpoint { output, store_args } => verify::write_checkpoint_file(&output, &store_args).await,
    }
}

async fn list_audit_rows(arguments: &ListArgs) -> Result<(), CliError> {
    let store = arguments.store_args.open_store().await?;
    let filter = arguments.filters.resolve_audit_filter(&store).await?;
    let mut newest = store.audit().list_audit_rows_before_seq(&filter, i64::MAX, arguments.limit).await?;
    // Reverse to chronological order, so that the newest rows are at the bottom of the terminal.
    newest.reverse();
    row_format::AUDIT_LIST_FORMAT.print(arguments.store_args.format, &newest)
}

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
