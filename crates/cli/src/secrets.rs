//! `clew secrets …`: the master key.

use clap::{Args, Subcommand};
use clew_store::Store;
use serde_json::json;

use crate::directory::Folder;
use crate::error::CliError;
use crate::origin;
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Rotate(Rotate),
}

/// Give the store a new master key: every secret is sealed anew, and nothing that was sealed with the old one is left.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
struct Rotate {
    #[command(flatten)]
    folder: Folder,
    /// Only make the next key, master.key.next, to be brought to the other machines first
    #[arg(long)]
    prepare: bool,
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Format,
}

const AFTER_HELP: &str = "\
Examples:
  clew secrets rotate
  clew secrets rotate --prepare --metadata postgres://clew@db.example.com/clew    # then copy master.key.next beside each master.key
  clew secrets rotate --metadata postgres://clew@db.example.com/clew

A folder must not be served meanwhile. Servers and workers that share a database may run: they notice within 5 seconds that their key is the old
one, write nothing with it, and end; started again, each takes the master.key.next that was put beside its master.key. Where the key is in
CLEW_MASTER_KEY, the next one has to be in CLEW_NEW_MASTER_KEY, of this command and of every process, before.

The next key is on disk before anything is sealed with it, and all secrets are sealed in one transaction: a crash at any moment loses nothing,
and the same command goes on from there. The old key stays as master.key.before-…, since backups from before need it: keep it with them, and
remove it when they are gone. Who was locked out after failed sign-ins no longer is, and links to histories of kills end.";

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let Action::Rotate(Rotate { folder, prepare, format }) = arguments.action;
    let location = folder.location()?;
    if prepare {
        let file = Store::prepare_rotation(location)?.display().to_string();
        return format.say(
            || format!("The next key is in {file}. Bring it to the other machines, then run clew secrets rotate.\n"),
            || json!({ "next": file }),
        );
    }
    let rotated = Store::rotate_master_key(&origin::local(), location).await?;
    if rotated.damaged > 0 {
        output::to_stderr(&format!(
            "note: {} secrets were changed outside of Clew and could not be opened before either; enter them again\n",
            rotated.damaged
        ));
    }
    format.say(
        || {
            format!(
                "The store has a new master key; {} secrets were sealed anew.\nNext: copy the key to a safe place, apart from the database.\n",
                rotated.sealed
            )
        },
        || json!({ "sealed": rotated.sealed, "damaged": rotated.damaged }),
    )
}
