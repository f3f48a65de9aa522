//! `clew master-key …`: rotates the master key, which encrypts the stored secrets.

use clap::Subcommand;
use clew_store::Store;
use serde_json::json;

use crate::command_group::CommandGroup;
use crate::error::CliError;
use crate::local_audit_origin;
use crate::output::{self, CommandOutputFormat};
use crate::store_args::StoreArgs;

pub(crate) type MasterKeyCommandArgs = CommandGroup<MasterKeyCommand>;

#[derive(Debug, Subcommand)]
pub(crate) enum MasterKeyCommand {
    /// Rotate the master key: re-encrypt all stored secrets with a new key.
    #[command(after_help = AFTER_HELP)]
    Rotate {
        #[command(flatten)]
        store_args: StoreArgs,
        /// Create master.key.next without rotating the key, so that you can copy the file to the other machines first
        #[arg(long)]
        prepare: bool,
        /// Output format
        #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
        format: CommandOutputFormat,
    },
}

const AFTER_HELP: &str = "\
Examples:
  clew master-key rotate
  clew master-key rotate --prepare --metadata-url postgres://clew@db.example.com/clew    # then copy master.key.next next to each master.key
  clew master-key rotate --metadata-url postgres://clew@db.example.com/clew

With a data directory, stop clew serve during the rotation. With a shared database, servers and workers may run: they detect the new key
within 5 seconds, write nothing with the old key, and exit. After a restart, each uses the master.key.next next to its master.key. If the
key is set in CLEW_MASTER_KEY, set the next key in CLEW_NEW_MASTER_KEY for this command and for every process first.

The next key is written to disk before it encrypts anything, and all secrets are re-encrypted in one transaction. After a crash, run the
same command again. The old key is kept as master.key.before-…, because older backups require it: delete it together with those backups.
The rotation also clears lockouts after failed sign-ins, and invalidates links to kill histories.";

pub(crate) async fn run(arguments: MasterKeyCommandArgs) -> Result<(), CliError> {
    let MasterKeyCommand::Rotate { store_args, prepare, format } = arguments.command;
    let location = store_args.resolve_store_location()?;
    if prepare {
        let file = Store::ensure_next_master_key_exists(location)?.display().to_string();
        return format.print(
            || format!("The next key is in {file}. Copy it to the other machines, then run clew master-key rotate.\n"),
            || json!({ "next": file }),
        );
    }
    let rotated = Store::rotate_master_key(&local_audit_origin::audit_origin_for_local_account(), location).await?;
    if rotated.damaged > 0 {
        output::write_stderr(&format!(
            "note: {} secrets cannot be decrypted, because they were changed outside of Clew; set them again\n",
            rotated.damaged
        ));
    }
    format.print(
        || {
            format!(
                "The store has a new master key; {} secrets were re-encrypted.\nNext: back up the key separately from the database.\n",
                rotated.sealed
            )
        },
        || json!({ "sealed": rotated.sealed, "damaged": rotated.damaged }),
    )
}
