//! `cargo xtask faults`: breaks what Clew stands on under load, one fault after the other, for as long as it is told.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use clew_faults::{Fault, Options};

use crate::error::XtaskError;
use crate::steps::{self, say};
use crate::{interrupt, servers, workspace};

/// What to break, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Minutes of each fault
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Decides moments, victims and what is asked for [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// Only these faults: kill postgresql-restart postgresql-pause s3-stop s3-slow cut clock disk-full
    #[arg(long, value_name = "FAULT", num_args = 1..)]
    only: Vec<Fault>,
    /// Collections that are asked for in a second
    #[arg(long, default_value_t = 8.0)]
    rate: f64,
    /// A program to break instead of a build of the tests' profile
    #[arg(long, value_name = "PROGRAM")]
    clew: Option<PathBuf>,
}

/// Fails where a promise was broken. Ctrl-C ends it at any moment; nothing is left running then either.
pub(crate) async fn run(arguments: Arguments) -> Result<(), XtaskError> {
    tokio::select! {
        done = break_things(arguments) => done,
        () = interrupt::received() => Err(XtaskError::Interrupted),
    }
}

async fn break_things(arguments: Arguments) -> Result<(), XtaskError> {
    steps::heading("What it needs");
    servers::install_for_tests().await?;
    let clew = match arguments.clew {
        Some(clew) => clew,
        None => workspace::build_clew(&[]).await?,
    };
    let failed = |cause| XtaskError::File { doing: "make a folder in", path: std::env::temp_dir(), cause };
    let logs = tempfile::Builder::new().prefix("clew-faults-").tempdir().map_err(failed)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let faults = if arguments.only.is_empty() { Fault::ALL.into() } else { arguments.only };
    steps::heading("Faults");
    let options = Options {
        clew,
        logs: logs.path().to_owned(),
        seed: arguments.seed.unwrap_or(since.as_secs()),
        faults,
        for_each: Duration::from_secs_f64(arguments.minutes.clamp(0.01, 24.0 * 60.0) * 60.0),
        per_second: arguments.rate.clamp(0.1, 1_000.0),
        tell: say,
    };
    let report = clew_faults::run(options).await;
    // What was said is kept where it may tell why.
    if report.as_ref().map_or(true, |report| !report.broken().is_empty()) {
        say(&format!("The logs are kept in {}", logs.keep().display()));
    }
    let report = report?;
    say(&report.to_string());
    match report.broken().len() {
        0 => Ok(()),
        broken => Err(XtaskError::Broken { promises: broken }),
    }
}
