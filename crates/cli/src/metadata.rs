//! `clew metadata …`: copies the metadata to another database.

mod copy;

use clap::{Args, Subcommand};

use crate::error::CliError;

#[derive(Debug, Args)]
pub(crate) struct MetadataCommandArgs {
    #[command(subcommand)]
    command: MetadataCommand,
}

#[derive(Debug, Subcommand)]
enum MetadataCommand {
    Copy(copy::CopyArgs),
}

pub(crate) async fn run(arguments: MetadataCommandArgs) -> Result<(), CliError> {
    match arguments.command {
        MetadataCommand::Copy(arguments) => copy::run(arguments).await,
    }
}
