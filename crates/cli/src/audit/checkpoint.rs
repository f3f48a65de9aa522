//! `clew audit checkpoint`: writes a checkpoint of the audit log.

use std::io::Write;
use std::path::Path;

use clew_store::AuditCheckpoint;

use crate::error::{CliError, ResultExt};
use crate::output::{OutputWriter, to_json_text};
use crate::store_args::StoreArgs;

pub(super) const AFTER_HELP: &str = "\
Examples:
  clew audit checkpoint -o checkpoint.json
  clew audit verify --checkpoint checkpoint.json

Store checkpoints out of reach of the accounts that can change the audit log: on another machine, in write-once storage or in an email.";

pub(super) async fn run(output: &Path, store_args: &StoreArgs) -> Result<(), CliError> {
    let checkpoint = store_args.open_store().await?.audit().create_audit_checkpoint().await?;
    let mut out = OutputWriter::open(Some(output), false)?;
    let json = to_json_text(&checkpoint)?;
    out.write_all(json.as_bytes()).map_err(|error| CliError::from_write_error(out.display_name(), &error))?;
    out.finish()
}

pub(super) fn read_checkpoint_file(path: &Path) -> Result<AuditCheckpoint, CliError> {
    let name = path.display();
    let text = std::fs::read(path).or_refusal(format_args!("cannot read the checkpoint {name}"))?;
    serde_json::from_slice(&text).map_err(|error| {
        CliError::new_refusal(format!("{name} is not an audit checkpoint: {error}"))
            .with_suggested_fix("pass a file written by clew audit checkpoint")
    })
}
