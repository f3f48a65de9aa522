//! `clew audit verify`

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use clew_store::{AuditProblem, AuditVerification};
use serde_json::{Value, json};

use super::checkpoint;
use crate::directory::DataDir;
use crate::error::CliError;

/// Check that every row of the audit is there and as it was written. Ends with 1 if not.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// File of clew audit checkpoint: rows up to its row must still be there; can be repeated
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    #[command(flatten)]
    data_dir: DataDir,
}

const AFTER_HELP: &str = "\
Examples:
  clew audit verify
  clew audit verify --checkpoint 2026-06-01.json --checkpoint 2026-07-01.json

Rows are chained with a key that is derived from the master key. Only a checkpoint stored elsewhere detects that the newest rows were
removed together with the record of the newest one, or that all was put back to an earlier state: clew audit checkpoint. A running
clew serve compares the audit every 10 seconds with the newest row that it has seen, and logs an error.";

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let checkpoints = arguments.checkpoints.iter().map(|path| checkpoint::read(path)).collect::<Result<Vec<_>, _>>()?;
    let found = arguments.data_dir.open().await?.verify_audit(&checkpoints).await?;
    arguments.data_dir.format.say(|| text(&found), || value(&found))?;
    if found.is_sound() { Ok(()) } else { Err(CliError::AnsweredNo) }
}

fn text(found: &AuditVerification) -> String {
    let rows = match (found.first, found.last) {
        (Some(first), Some(last)) => format!("{} rows, {first} to {last}", found.rows),
        _ => "no rows".to_owned(),
    };
    if found.is_sound() {
        return format!("The audit is as it was written: {rows}.\nNewest link: {}\n", found.newest);
    }
    let mut text = format!("The audit is NOT as it was written ({rows}):\n");
    for problem in &found.problems {
        let _ = writeln!(text, "  {problem}");
    }
    if found.more_problems > 0 {
        let _ = writeln!(text, "  and {} more problems", found.more_problems);
    }
    text
}

/// With the names that the API has for it.
fn value(found: &AuditVerification) -> Value {
    let problem = |problem: &AuditProblem| json!({ "position": problem.position, "what": problem.to_string() });
    json!({
        "intact": found.is_sound(),
        "rows": found.rows,
        "first": found.first,
        "last": found.last,
        "newest": found.newest,
        "problems": found.problems.iter().map(problem).collect::<Vec<_>>(),
        "more_problems": found.more_problems,
    })
}
