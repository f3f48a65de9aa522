//! `cargo xtask audit`: checks the dependencies in `Cargo.lock` against the RustSec advisory database.

use std::time::Duration;

use clew_devtools::DevtoolsError;
use clew_devtools::command::Command;
use clew_devtools::progress::Step;
use clew_devtools::workspace;

use crate::cargo_tools;

const ADVISORY_CHECK_TIMEOUT: Duration = Duration::from_mins(10);

pub(crate) async fn run() -> Result<(), DevtoolsError> {
    let cargo_deny = cargo_tools::CARGO_DENY.install().await?;
    let step = Step::start("Security advisories (cargo-deny)");
    advisory_check_command(&cargo_deny).run_with_progress(&step, ADVISORY_CHECK_TIMEOUT).await?;
    step.complete();
    Ok(())
}

fn advisory_check_command(cargo_deny: &std::path::Path) -> Command {
    Command::new(cargo_deny).current_dir(workspace::root_dir()).args([
        "--locked",
        "--color",
        "never",
        "check",
        "advisories",
    ])
}
