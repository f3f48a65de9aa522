//! Running `clew` and looking at how it ended.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

pub(crate) const CLEW: &str = env!("CARGO_BIN_EXE_clew");

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The command, with nothing of this machine's environment that it would read.
pub(crate) fn clew(arguments: &[&str]) -> Command {
    let mut command = Command::new(CLEW);
    command.args(arguments).kill_on_drop(true);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CLEW_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end.
pub(crate) async fn end(mut command: Command) -> Ended {
    let output = tokio::time::timeout(Duration::from_mins(1), command.output()).await.unwrap().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `clew` with these arguments to its end.
pub(crate) async fn run(arguments: &[&str]) -> Ended {
    end(clew(arguments)).await
}

/// Makes a data directory, and returns what `clew init` printed as JSON.
pub(crate) async fn initialise(dir: &Path) -> serde_json::Value {
    let ended = run(&["init", "--format", "json", "--data-dir", dir.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

impl Ended {
    /// Refused or wrong usage: exit code 2, nothing on stdout, and these words on stderr.
    pub(crate) fn is_refused_with(&self, words: &[&str]) {
        self.is(2, words);
    }

    /// Failed: exit code 1, nothing on stdout, and these words on stderr.
    pub(crate) fn has_failed_with(&self, words: &[&str]) {
        self.is(1, words);
    }

    fn is(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {self:?}");
        }
    }
}
