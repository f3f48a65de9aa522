//! Runs a test in a child process: with limited disk space, fewer permissions or another environment, or to kill it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::database::Database;

/// Environment variable with the working directory of a child process.
const FOLDER: &str = "CLEW_STORE_TEST_FOLDER";

/// Returns the working directory if this process is a child process.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Returns the name that rstest generates for a contract test on a database.
pub(crate) fn contract_test(name: &str, database: Database) -> String {
    let position = match database {
        Database::Sqlite => 1,
        Database::PostgreSql => 2,
    };
    format!("contract::{name}::database_{position}_Database__{database:?}")
}

/// Returns a command that runs one test from this test binary. The launcher is optional.
pub(crate) fn command(test: &str, folder: &Path, launcher: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut words = launcher.iter().map(Into::into).chain([program.into_os_string()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["--exact", test, "--nocapture"]).env(FOLDER, folder);
    command
}

/// Runs a command from [`command`]. Panics unless the test ran and passed.
pub(crate) fn run_to_success(mut command: Command) {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{command:?}: {}\n{out}\n{err}", output.status);
}
