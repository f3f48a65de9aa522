//! `cargo xtask audit`: whether a dependency has a published security advisory.

use std::time::Duration;

use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::Step;
use crate::{tools, workspace};

/// For the download of the database and the check.
const LIMIT: Duration = Duration::from_mins(10);

/// Downloads the RustSec database and compares the lock file with it.
pub(crate) async fn run() -> Result<(), XtaskError> {
    let cargo_deny = tools::CARGO_DENY.install().await?;
    let step = Step::start("Security advisories (cargo-deny)");
    check(&cargo_deny).run_in(&step, LIMIT).await?;
    step.done();
    Ok(())
}

fn check(cargo_deny: &std::path::Path) -> Command {
    Command::new(cargo_deny).in_folder(workspace::root()).args(["--locked", "--color", "never", "check", "advisories"])
}
