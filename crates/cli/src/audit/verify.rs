//! `clew audit verify` verifies that no audit rows are missing or modified; `clew audit checkpoint` writes checkpoints.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use clew_store::{AuditCheckpoint, AuditIntegrityProblem, AuditVerification};
use serde_json::{Value, json};

use crate::error::{CliError, ResultExt, refused};
use crate::output::{OutputWriter, to_json_text};
use crate::store_args::{StoreAndOutputFormatArgs, StoreArgs};

pub(super) const VERIFY_AFTER_HELP: &str = "\
Examples:
  clew audit verify
  clew audit verify --checkpoint 2026-06-01.json --checkpoint 2026-07-01.json

Rows form a hash chain with a key derived from the master key. Removing the newest rows together with the record of the chain's end,
or restoring an earlier state, is detected only with a checkpoint stored elsewhere: see clew audit checkpoint. A running clew
serve compares the audit log every 10 seconds with the newest row that it has read, and logs an error if rows are missing.";

pub(super) const CHECKPOINT_AFTER_HELP: &str = "\
Examples:
  clew audit checkpoint -o checkpoint.json
  clew audit verify --checkpoint checkpoint.json

Store checkpoints out of reach of the accounts that can change the audit log: on another machine, in write-once storage or in an email.";

pub(super) async fn write_checkpoint_file(output: &Path, store_args: &StoreArgs) -> Result<(), CliError> {
    let checkpoint = store_args.open_store().await?.audit().create_audit_checkpoint().await?;
    let mut out = OutputWriter::open(Some(output), false)?;
    let json = to_json_text(&checkpoint)?;
    out.write_all(json.as_bytes()).map_err(|error| CliError::from_write_error(out.display_name(), &error))?;
    out.finish()
}

pub(super) async fn verify_audit_log(
    checkpoints: &[PathBuf],
    store_args: &StoreAndOutputFormatArgs,
) -> Result<(), CliError> {
    let checkpoints: Vec<_> = checkpoints.iter().map(|path| read_checkpoint_file(path)).collect::<Result<_, _>>()?;
    let verification = store_args.open_store().await?.audit().verify_audit_log(&checkpoints).await?;
    store_args
        .format
        .print(|| render_audit_verification(&verification), || audit_verification_to_json(&verification))?;
    if verification.is_intact() { Ok(()) } else { Err(CliError::NegativeResult) }
}

fn render_audit_verification(verification: &AuditVerification) -> String {
    let rows = match (verification.first, verification.last) {
        (Some(first), Some(last)) => format!("{} rows, {first} to {last}", verification.rows),
        _ => "no rows".to_owned(),
    };
    if verification.is_intact() {
        return format!("The audit log is intact: {rows}.\nNewest link: {}\n", verification.newest);
    }
    let mut text = format!("The audit log is NOT intact ({rows}):\n");
    for problem in &verification.problems {
        let _ = writeln!(text, "  {problem}");
    }
    if verification.more_problems > 0 {
        let _ = writeln!(text, "  and {} more problems", verification.more_problems);
    }
    text
}

fn read_checkpoint_file(path: &Path) -> Result<AuditCheckpoint, CliError> {
    let name = path.display();
    let text = std::fs::read(path).with_refusal_context(format_args!("cannot read the checkpoint {name}"))?;
    serde_json::from_slice(&text).map_err(|error| {
        refused!("{name} is not an audit checkpoint: {error}")
            .with_suggested_fix("pass a file written by clew audit checkpoint")
    })
}

/// Uses the field names of the HTTP API.
fn audit_verification_to_json(verification: &AuditVerification) -> Value {
    let problem =
        |problem: &AuditIntegrityProblem| json!({ "position": problem.position, "what": problem.to_string() });
    json!({
        "intact": verification.is_intact(),
        "rows": verification.rows,
        "first": verification.first,
        "last": verification.last,
        "newest": verification.newest,
        "problems": verification.problems.iter().map(problem).collect::<Vec<_>>(),
        "more_problems": verification.more_problems,
    })
}
