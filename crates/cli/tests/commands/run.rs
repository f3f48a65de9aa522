//! Runs `clew` and checks its output and exit code.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

pub(crate) const CLEW: &str = env!("CARGO_BIN_EXE_clew");

/// Exit code and output of a command.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Returns the `clew` command without the `CLEW_…` variables of the test environment.
pub(crate) fn clew(arguments: &[&str]) -> Command {
    let mut command = Command::new(CLEW);
    command.args(arguments).kill_on_drop(true);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CLEW_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a command to completion.
pub(crate) async fn run_command(mut command: Command) -> CommandOutput {
    let output = tokio::time::timeout(Duration::from_mins(1), command.output()).await.unwrap().unwrap();
    CommandOutput {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `clew` with arguments to completion.
pub(crate) async fn run(arguments: &[&str]) -> CommandOutput {
    run_command(clew(arguments)).await
}

/// Creates a data directory. Returns the JSON output of `clew init`.
pub(crate) async fn initialize(dir: &Path) -> serde_json::Value {
    let output = run(&["init", "--format", "json", "--data-dir", dir.to_str().unwrap()]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

impl CommandOutput {
    /// Asserts a refusal or usage error: exit code 2, empty stdout, and the texts on stderr.
    pub(crate) fn assert_refused(&self, words: &[&str]) {
        self.assert_error(2, words);
    }

    /// Asserts a failure: exit code 1, empty stdout, and the texts on stderr.
    pub(crate) fn assert_failed(&self, words: &[&str]) {
        self.assert_error(1, words);
    }

    fn assert_error(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {self:?}");
        }
    }
}
