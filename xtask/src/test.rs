//! `cargo xtask test`: runs all tests against real database servers.

use std::ffi::OsString;

use clew_testkit::toolchain;

use crate::command::Command;
use crate::error::XtaskError;
use crate::{install, page, progress, tools, workspace};

/// Installs missing prerequisites, then runs all tests, or those selected by the `nextest` arguments.
pub(crate) async fn run(nextest: &[OsString]) -> Result<(), XtaskError> {
    progress::heading("Prerequisites of the tests");
    install::for_tests().await?;
    page::build().await?;
    let runner = tools::CARGO_NEXTEST.install().await?;

    if nextest.is_empty() {
        page::test().await?;
    }

    progress::heading("Tests");
    let tests =
        with_server_paths(Command::new(runner).current_dir(workspace::root()).args(["nextest", "run", "--locked"]));
    if !nextest.is_empty() {
        return tests.args(nextest.iter().cloned()).run().await;
    }
    tests.args(["--workspace", "--all-targets"]).run().await?;

    progress::heading("Documentation examples");
    with_server_paths(workspace::cargo().args(["test", "--doc", "--workspace", "--locked"])).run().await
}

/// Sets the variables by which tests locate servers and client programs.
fn with_server_paths(command: Command) -> Command {
    command
        .env(toolchain::SERVERS_DIR_ENV_VAR, toolchain::servers_dir())
        .env(toolchain::PYTHON_ENV_VAR, toolchain::clients_python())
}
