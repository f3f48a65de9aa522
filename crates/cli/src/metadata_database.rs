//! `clew metadata …`: copies the metadata to a PostgreSQL database.

use std::path::PathBuf;

use clap::Subcommand;
use clew_store::{CopiedTable, PostgresUrl, Store, StoreError};
use indicatif::HumanCount;
use serde_json::{Value, json};

use crate::command_group::CommandGroup;
use crate::error::{CliError, refused};
use crate::output::{CommandOutputFormat, new_progress_spinner};
use crate::store_args::DEFAULT_DATA_DIR;
use crate::{local_audit_origin, text_table};

pub(crate) type MetadataCommandArgs = CommandGroup<MetadataCommand>;

#[derive(Debug, Subcommand)]
pub(crate) enum MetadataCommand {
    /// Copy the metadata from a data directory to an empty PostgreSQL database in one transaction.
    #[command(after_help = AFTER_HELP)]
    Copy {
        /// Data directory created by clew init. Before copying, stop the clew serve process that uses it
        #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR", default_value = DEFAULT_DATA_DIR)]
        data_dir: PathBuf,
        /// URL of the target PostgreSQL database, such as postgres://user@host/database?sslmode=verify-full.
        /// Set the database password in PGPASSWORD or ~/.pgpass, not in the URL: other users can see command lines
        #[arg(long, value_name = "URL", env = "CLEW_METADATA_URL", hide_env_values = true)]
        to: String,
        /// List the tables to copy and check that the target database is empty, without copying any data
        #[arg(long)]
        dry_run: bool,
        /// Output format
        #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
        format: CommandOutputFormat,
    },
}

const AFTER_HELP: &str = "\
Examples:
  clew metadata copy --to postgres://clew@db.example.com/clew?sslmode=verify-full --dry-run
  clew metadata copy --data-dir /var/lib/clew --to postgres://clew@db.example.com/clew?sslmode=verify-full

The copy runs in one transaction, which is committed only after every table was read back with the same rows and contents. A failed or
interrupted copy leaves nothing behind and can be retried. A database that already contains Clew tables is refused.

The data directory is not changed. After the copy, pass --metadata-url to every command, and do not serve the data directory without it:
the two stores would diverge. The master key stays the same. Results are not copied: a server that uses the data directory still serves
them. A server with results on S3 cannot; repeat those collections.";

pub(crate) async fn run(arguments: MetadataCommandArgs) -> Result<(), CliError> {
    let MetadataCommand::Copy { data_dir, to, dry_run, format } = arguments.command;
    let to: PostgresUrl = to.parse().map_err(|error: StoreError| refused!("{error}"))?;
    let store = Store::open(&data_dir).await?;
    if dry_run {
        let tables = store.preview_metadata_copy(&to).await?;
        let message = format!("The command would copy these tables to the empty database {to}; nothing was changed.\n");
        return format.print(|| render_copied_tables(&tables, &message), || copied_tables_to_json(&tables, false));
    }
    let bar = new_progress_spinner();
    let copied = store
        .copy_metadata_to_postgres(&local_audit_origin::audit_origin_for_local_account(), &to, |table, rows, total| {
            bar.set_message(format!("{table}: {} of {} rows", HumanCount(rows), HumanCount(total)));
        })
        .await;
    bar.finish_and_clear();
    let tables = copied?;
    let message = format!(
        "Copied to {to}; each table was read back and is identical.\n\
         Next: pass --metadata-url to clew serve and to every other command. The master key stays in {}.\n",
        data_dir.display()
    );
    format.print(|| render_copied_tables(&tables, &message), || copied_tables_to_json(&tables, true))
}

fn render_copied_tables(tables: &[CopiedTable], message: &str) -> String {
    let row = |table: &CopiedTable| [table.name.to_owned(), table.rows.to_string()];
    let rows = tables.iter().filter(|table| table.rows > 0).map(row).collect();
    format!("{}{message}", text_table::render_table(["TABLE", "ROWS"], rows, "No rows."))
}

fn copied_tables_to_json(tables: &[CopiedTable], copied: bool) -> Value {
    let table = |table: &CopiedTable| {
        let digest = Some(&table.digest).filter(|digest| !digest.is_empty());
        json!({ "name": table.name, "rows": table.rows, "digest": digest })
    };
    json!({ "copied": copied, "tables": tables.iter().map(table).collect::<Vec<_>>() })
}
