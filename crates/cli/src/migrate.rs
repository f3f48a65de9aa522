//! `clew migrate`

use clap::Args;

use crate::directory::Folder;
use crate::error::CliError;
use crate::output;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    folder: Folder,
}

const AFTER_HELP: &str = "\
Examples:
  clew migrate
  clew migrate --metadata postgres://clew@db.example.com/clew?sslmode=verify-full

Refuses metadata that a newer version brought to its own form.";

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    arguments.folder.open().await?;
    output::to_stdout("The metadata has the form of this version.\n")
}
