//! `clew store copy`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clew_store::{CopiedTable, PostgresUrl, Store};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::configuration::DEFAULT_DATA_DIR;
use crate::error::CliError;
use crate::output::Format;
use crate::{listing, origin};

/// Copy the metadata of a folder into an empty PostgreSQL database: everything, or nothing.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Folder that clew init made; its server must be stopped
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    /// PostgreSQL database to fill, such as postgres://user@host/database?sslmode=verify-full. Its password belongs into PGPASSWORD or
    /// ~/.pgpass: others see what is typed
    #[arg(long, value_name = "URL", env = "CLEW_METADATA", hide_env_values = true)]
    to: String,
    /// Only say what would be copied, and whether the database is empty
    #[arg(long)]
    dry_run: bool,
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Format,
}

const AFTER_HELP: &str = "\
Examples:
  clew store copy --to postgres://clew@db.example.com/clew?sslmode=verify-full --dry-run
  clew store copy --data-dir /var/lib/clew --to postgres://clew@db.example.com/clew?sslmode=verify-full

Everything goes in one transaction, which is committed only when each table was read back and has the same rows with the same contents. So a
copy that fails or is interrupted leaves nothing, and can be begun again. A database that holds anything of Clew's is refused.

The folder is left as it was. From then on give --metadata to every command, and do not serve the folder without it any more: the two would
go different ways. The master key stays the same. Results stay in the folder: whoever serves it still gives them out. On S3 they are not, and
what was collected before has to be collected again.";

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let to: PostgresUrl =
        arguments.to.parse().map_err(|error: clew_store::StoreError| CliError::refused(error.to_string()))?;
    let store = Store::open(&arguments.data_dir).await?;
    if arguments.dry_run {
        let tables = store.preview_copy(&to).await?;
        let said = format!("Would be copied to {to}, which is empty; nothing was changed.\n");
        return arguments.format.say(|| text(&tables, &said), || value(&tables, false));
    }
    let bar = bar();
    let copied = store
        .copy_to(&origin::local(), &to, |table, rows, total| {
            bar.set_message(format!("{table}: {} of {} rows", HumanCount(rows), HumanCount(total)));
        })
        .await;
    bar.finish_and_clear();
    let tables = copied?;
    let said = format!(
        "Copied to {to}; each table was read back and is the same.\n\
         Next: give --metadata to clew serve and to every other command. Keep the master key; {} has it still.\n",
        arguments.data_dir.display()
    );
    arguments.format.say(|| text(&tables, &said), || value(&tables, true))
}

/// How far it is, on stderr; nothing where that is no terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn text(tables: &[CopiedTable], said: &str) -> String {
    let row = |table: &CopiedTable| [table.name.to_owned(), table.rows.to_string()];
    let rows = tables.iter().filter(|table| table.rows > 0).map(row).collect();
    format!("{}{said}", listing::list(["TABLE", "ROWS"], rows, "No rows."))
}

fn value(tables: &[CopiedTable], copied: bool) -> Value {
    let table = |table: &CopiedTable| {
        let digest = Some(&table.digest).filter(|digest| !digest.is_empty());
        json!({ "name": table.name, "rows": table.rows, "digest": digest })
    };
    json!({ "copied": copied, "tables": tables.iter().map(table).collect::<Vec<_>>() })
}
