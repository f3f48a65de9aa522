//! `cargo xtask test`: every test, on real servers.

use std::ffi::OsString;

use clew_testkit::setup;

use crate::command::Command;
use crate::error::XtaskError;
use crate::{page, servers, steps, tools, workspace};

/// Installs what is missing, then runs all tests, or those that `nextest` names.
pub(crate) async fn run(nextest: &[OsString]) -> Result<(), XtaskError> {
    steps::heading("What the tests need");
    servers::install_for_tests().await?;
    page::build().await?;
    let runner = tools::CARGO_NEXTEST.install().await?;

    if nextest.is_empty() {
        page::test().await?;
    }

    steps::heading("Tests");
    let started = with_servers(Command::new(runner).in_folder(workspace::root()).args(["nextest", "run", "--locked"]));
    if !nextest.is_empty() {
        return started.args(nextest.iter().cloned()).run().await;
    }
    started.args(["--workspace", "--all-targets"]).run().await?;

    steps::heading("Examples in the documentation");
    with_servers(workspace::cargo().args(["test", "--doc", "--workspace", "--locked"])).run().await
}

/// Tests find servers and client programs through these.
fn with_servers(command: Command) -> Command {
    command.env(setup::SERVERS_DIR_VARIABLE, setup::servers_dir()).env(setup::PYTHON_VARIABLE, setup::clients_python())
}
