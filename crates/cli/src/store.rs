//! `clew store …`: copies the metadata.

mod copy;

use clap::{Args, Subcommand};

use crate::error::CliError;

#[derive(Debug, Args)]
pub(crate) struct StoreCommandArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    Copy(copy::CopyArgs),
}

pub(crate) async fn run(arguments: StoreCommandArgs) -> Result<(), CliError> {
    match arguments.command {
        StoreCommand::Copy(arguments) => copy::run(arguments).await,
    }
}
