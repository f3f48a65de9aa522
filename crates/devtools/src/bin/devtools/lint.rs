//! `cargo xtask lint`: runs static checks on the source code. `cargo xtask audit`: checks the dependencies.

use std::path::Path;
use std::time::Duration;

use clew_devtools::DevtoolsError;
use clew_devtools::command::Command;
use clew_devtools::progress::{self, Step};
use clew_devtools::{web_page, workspace};

use crate::cargo_tools;

const LINT_CHECK_TIMEOUT: Duration = Duration::from_mins(45);
const ADVISORY_CHECK_TIMEOUT: Duration = Duration::from_mins(10);

/// Runs all checks, even if one of them fails.
pub(crate) async fn run() -> Result<(), DevtoolsError> {
    // The build installs the npm packages and checks the page's TypeScript types. The next compilation embeds the page.
    web_page::build_web_page().await?;
    let cargo_deny = cargo_tools::CARGO_DENY.install().await?;
    let checks = [
        ("Formatting (cargo fmt)", workspace::cargo_command().args(["fmt", "--all", "--check"])),
        (
            "Lints (clippy)",
            workspace::cargo_command().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ]),
        ),
        ("Formatting of the web page (Prettier)", web_page::npm_command(&["run", "format:check"])),
        ("Lints of the web page (Oxlint)", web_page::npm_command(&["run", "lint"])),
        (
            "Import cycles, layers and words (codelint)",
            workspace::cargo_command().args(["run", "--quiet", "--package", "clew-codelint", "--locked"]),
        ),
        ("Licenses and dependencies (cargo-deny)", cargo_deny_command(&cargo_deny, &["bans", "licenses", "sources"])),
        (
            "Documentation (rustdoc)",
            workspace::cargo_command()
                .args(["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        ),
    ];
    let mut failures = Vec::new();
    for (name, check) in checks {
        let step = Step::start(name);
        match check.run_with_progress(&step, LINT_CHECK_TIMEOUT).await {
            Ok(()) => step.complete(),
            Err(error) => {
                drop(step);
                progress::print_error(&error);
                failures.push(name);
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(DevtoolsError::Checks(failures.join(", "))) }
}

pub(crate) async fn audit_dependencies() -> Result<(), DevtoolsError> {
    let cargo_deny = cargo_tools::CARGO_DENY.install().await?;
    let step = Step::start("Security advisories (cargo-deny)");
    cargo_deny_command(&cargo_deny, &["advisories"]).run_with_progress(&step, ADVISORY_CHECK_TIMEOUT).await?;
    step.complete();
    Ok(())
}

fn cargo_deny_command(cargo_deny: &Path, checks: &[&str]) -> Command {
    let command = Command::new(cargo_deny).current_dir(workspace::root_dir());
    command.args(["--locked", "--color", "never", "check"]).args(checks.iter().copied())
}
