//! `clew audit checkpoint`

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use clew_store::AuditCheckpoint;

use crate::directory::Folder;
use crate::error::CliError;
use crate::output::{self, Output};

/// Write the position and link of the newest row, which prove later that no row up to it was removed
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Write to a file; - means stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    #[command(flatten)]
    folder: Folder,
}

const AFTER_HELP: &str = "\
Examples:
  clew audit checkpoint -o checkpoint.json
  clew audit verify --checkpoint checkpoint.json

Store checkpoints where the accounts that can change the audit cannot change them: on another machine, in write-once storage, in a mail.";

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let checkpoint = arguments.folder.open().await?.audit_checkpoint().await?;
    let mut out = Output::open(Some(&arguments.output))?;
    let json = output::json_text(&checkpoint)?;
    out.write_all(json.as_bytes()).map_err(|error| CliError::writing(&out.name(), &error))?;
    out.finish()
}

/// A checkpoint of a file.
pub(super) fn read(path: &Path) -> Result<AuditCheckpoint, CliError> {
    let shown = path.display();
    let text = std::fs::read(path)
        .map_err(|error| CliError::refused(format!("cannot read the checkpoint {shown}: {error}")))?;
    serde_json::from_slice(&text).map_err(|error| {
        CliError::refused(format!("{shown} is no checkpoint of an audit: {error}"))
            .with_hint("name a file that clew audit checkpoint wrote")
    })
}
