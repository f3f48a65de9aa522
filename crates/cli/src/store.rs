//! `clew store …`: copies the metadata.

mod copy;

use clap::{Args, Subcommand};

use crate::error::CliError;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    Copy(copy::Arguments),
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.command {
        StoreCommand::Copy(arguments) => copy::run(arguments).await,
    }
}
