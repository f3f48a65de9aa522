//! `clew rule …`: tests kill rules against saved snapshots.

mod report;
mod rules_file;
mod snapshot_file;
mod test_command;

use clap::{Args, Subcommand};

use crate::error::CliError;

#[derive(Debug, Args)]
pub(crate) struct RuleCommandArgs {
    #[command(subcommand)]
    command: RuleCommand,
}

#[derive(Debug, Subcommand)]
enum RuleCommand {
    Test(test_command::RuleTestArgs),
}

pub(crate) async fn run(arguments: RuleCommandArgs) -> Result<(), CliError> {
    let RuleCommand::Test(arguments) = arguments.command;
    let task = tokio::task::spawn_blocking(move || test_command::run(&arguments));
    task.await.map_err(|error| CliError::new_failure(format!("could not test the rules: {error}")))?
}
