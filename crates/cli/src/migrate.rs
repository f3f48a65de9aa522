//! `clew migrate`

use clap::Args;

use crate::error::CliError;
use crate::output;
use crate::store_args::StoreArgs;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    store_args: StoreArgs,
}

const AFTER_HELP: &str = "\
Examples:
  clew migrate
  clew migrate --metadata-url postgres://clew@db.example.com/clew?sslmode=verify-full

Fails if a newer version has already migrated the metadata.";

pub(crate) async fn run(arguments: MigrateArgs) -> Result<(), CliError> {
    arguments.store_args.open_store().await?;
    output::write_stdout("The metadata has the schema of this version.\n")
}
