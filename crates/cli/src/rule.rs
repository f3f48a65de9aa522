//! `clew rule`: rules that kill sessions, tried before they touch a server.

mod report;
mod rules;
mod saved;
mod test;

use clap::{Args, Subcommand};

use crate::error::CliError;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(test::Arguments),
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let Command::Test(arguments) = arguments.command;
    let trying = tokio::task::spawn_blocking(move || test::run(&arguments));
    trying.await.map_err(|error| CliError::failed(format!("could not try the rules: {error}")))?
}
