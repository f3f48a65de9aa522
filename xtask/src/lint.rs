//! `cargo xtask lint`: what can be said of the code without running it.

use std::time::Duration;

use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::{self, Step};
use crate::{page, tools, workspace};

/// Long enough for a first build on a slow machine.
const LIMIT: Duration = Duration::from_mins(45);

/// Runs every check, even after one that fails: one run tells everything.
pub(crate) async fn run() -> Result<(), XtaskError> {
    // Checks its types too; and what is built next holds it.
    page::build().await?;
    let cargo_deny = tools::CARGO_DENY.install().await?;
    let checks = [
        ("Form (cargo fmt)", workspace::cargo().args(["fmt", "--all", "--check"])),
        (
            "Lints (clippy)",
            workspace::cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        ),
        ("Licences and dependencies (cargo-deny)", deny(&cargo_deny)),
        (
            "Documentation (rustdoc)",
            workspace::cargo()
                .args(["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        ),
    ];
    let mut failures = Vec::new();
    for (name, check) in checks {
        let step = Step::start(name);
        match check.run_in(&step, LIMIT).await {
            Ok(()) => step.done(),
            Err(error) => {
                drop(step);
                steps::complain(&error);
                failures.push(name);
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(XtaskError::Checks(failures.join(", "))) }
}

fn deny(cargo_deny: &std::path::Path) -> Command {
    Command::new(cargo_deny)
        .in_folder(workspace::root())
        .args(["--locked", "--color", "never", "check", "bans", "licenses", "sources"])
}
