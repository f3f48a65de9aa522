//! A test that goes on in a process of its own: with less space, fewer rights or another environment, or to be killed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Tells the child that it is one, and where to work.
const FOLDER: &str = "CLEW_STORE_TEST_FOLDER";

/// The folder to work in, if this process is a child.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// This test program for the one test of this name, started by `launcher` if there is one.
pub(crate) fn command(test: &str, folder: &Path, launcher: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut words = launcher.iter().map(Into::into).chain([program.into_os_string()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["--exact", test, "--nocapture"]).env(FOLDER, folder);
    command
}

/// Runs a command of [`command`] to its end; its test must have run and passed.
pub(crate) fn pass(mut command: Command) {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{command:?}: {}\n{out}\n{err}", output.status);
}
