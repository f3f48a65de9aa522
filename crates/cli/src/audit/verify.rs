//! `clew audit verify`: verifies that no audit rows are missing or modified.

use std::fmt::Write as _;
use std::path::PathBuf;

use clew_store::{AuditIntegrityProblem, AuditVerification};
use serde_json::{Value, json};

use super::checkpoint;
use crate::error::CliError;
use crate::store_args::StoreAndOutputFormatArgs;

pub(super) const AFTER_HELP: &str = "\
Examples:
  clew audit verify
  clew audit verify --checkpoint 2026-06-01.json --checkpoint 2026-07-01.json

Rows form a hash chain with a key derived from the master key. Removing the newest rows together with the record of the chain's end,
or restoring an earlier state, is detected only with a checkpoint stored elsewhere: see clew audit checkpoint. A running clew
serve compares the audit log every 10 seconds with the newest row that it has read, and logs an error if rows are missing.";

pub(super) async fn run(checkpoints: &[PathBuf], store_args: &StoreAndOutputFormatArgs) -> Result<(), CliError> {
    let checkpoints: Vec<_> =
        checkpoints.iter().map(|path| checkpoint::read_checkpoint_file(path)).collect::<Result<_, _>>()?;
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
