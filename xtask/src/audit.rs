//! `cargo xtask audit`: checks dependencies for published security advisories.

use std::time::Duration;

use crate::command::Command;
use crate::error::XtaskError;
use crate::progress::Step;
use crate::{tools, workspace};

/// Time limit of the database download and the check.
const AUDIT_TIMEOUT: Duration = Duration::from_mins(10);

/// Downloads the RustSec advisory database and checks the lock file against it.
pub(crate) async fn run() -> Result<(), XtaskError> {
    let cargo_deny = tools::CARGO_DENY.install().await?;
    let step = Step::start("Security advisories (cargo-deny)");
    check(&cargo_deny).run_in_step(&step, AUDIT_TIMEOUT).await?;
    step.done();
    Ok(())
}

fn check(cargo_deny: &std::path::Path) -> Command {
    Command::new(cargo_deny).current_dir(workspace::root()).args([
        "--locked",
        "--color",
        "never",
        "check",
        "advisories",
    ])
}
