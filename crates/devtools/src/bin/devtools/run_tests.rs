//! `cargo xtask test`: runs all tests against real database servers.

use std::ffi::OsString;

use clew_devtools::DevtoolsError;
use clew_devtools::command::Command;
use clew_devtools::{install, progress, web_page, workspace};
use clew_testkit::test_tools;

use crate::{cargo_tools, compatibility_tables};

pub(crate) async fn run(nextest: &[OsString]) -> Result<(), DevtoolsError> {
    progress::print_heading("Prerequisites of the tests");
    install::install_test_prerequisites().await?;
    install::install_server_releases().await?;
    web_page::build_web_page().await?;
    let runner = cargo_tools::CARGO_NEXTEST.install().await?;

    if nextest.is_empty() {
        web_page::run_web_page_tests().await?;
    }

    progress::print_heading("Tests");
    let tests = add_test_tool_env_vars(
        Command::new(runner).current_dir(workspace::root_dir()).args(["nextest", "run", "--locked"]),
    );
    if !nextest.is_empty() {
        return tests.args(nextest.iter().cloned()).run().await;
    }
    let tests = tests.args(["--workspace", "--all-targets"]).run().await;

    // The documentation examples run even after a failed test, so that one run reports every failure.
    progress::print_heading("Documentation examples");
    let examples = workspace::cargo_command().args(["test", "--doc", "--workspace", "--locked", "--no-fail-fast"]);
    let examples = add_test_tool_env_vars(examples).run().await;
    tests.and(examples)
}

/// All compatibility tests except for the test that compares the document with the expected results.
const COMPATIBILITY_TEST_FILTER: &str = "(binary(compatibility) + binary(releases)) - test(/^compatibility_document/)";

/// Runs the compatibility tests on all server releases, and writes the results to COMPATIBILITY.md.
pub(crate) async fn run_compatibility_tests() -> Result<(), DevtoolsError> {
    let results = tempfile::tempdir().map_err(DevtoolsError::file_error("create", "a temporary directory"))?;
    progress::print_heading("Prerequisites of the tests");
    install::install_test_prerequisites().await?;
    install::install_server_releases().await?;
    web_page::build_web_page().await?;
    let runner = cargo_tools::CARGO_NEXTEST.install().await?;
    progress::print_heading("Compatibility tests");
    let tests = Command::new(runner)
        .current_dir(workspace::root_dir())
        .args(["nextest", "run", "--locked", "--workspace", "-E", COMPATIBILITY_TEST_FILTER])
        .env(compatibility_tables::RESULTS_DIR_ENV_VAR, results.path());
    add_test_tool_env_vars(tests).run().await?;
    compatibility_tables::update_compatibility_document(results.path())
}

fn add_test_tool_env_vars(command: Command) -> Command {
    command
        .env(test_tools::SERVERS_DIR_ENV_VAR, test_tools::downloads_dir())
        .env(test_tools::PYTHON_INTERPRETER_ENV_VAR, test_tools::python_interpreter_path())
}
