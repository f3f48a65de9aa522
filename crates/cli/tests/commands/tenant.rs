//! Tenant in its own data directory, for tests of management commands.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use crate::run::{CommandOutput, clew, initialize, run};

/// A tenant in a temporary data directory.
pub(crate) struct Tenant {
    pub(crate) folder: TempDir,
    /// JSON output of `clew init`.
    pub(crate) made: Value,
}

impl Tenant {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = initialize(&folder.path().join("data")).await;
        Self { folder, made }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs `clew` with the data directory.
    pub(crate) async fn run(&self, arguments: &[&str]) -> CommandOutput {
        run(&[arguments, &["--data-dir", self.dir().to_str().unwrap()]].concat()).await
    }

    /// Runs a command that must succeed. Returns the text on stdout.
    pub(crate) async fn run_ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
        output.stdout
    }

    /// Runs a command that must succeed, with `--format json`. Returns the parsed output.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let stdout = self.run_ok(&[arguments, &["--format", "json"]].concat()).await;
        serde_json::from_str(&stdout).unwrap()
    }

    /// Runs `clew` with the data directory and the given stdin.
    pub(crate) async fn run_with_stdin(&self, arguments: &[&str], stdin: &str) -> CommandOutput {
        let mut command = clew(&[arguments, &["--data-dir", self.dir().to_str().unwrap()]].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // A command that fails before it reads stdin closes the pipe.
        let _ = pipe.write_all(stdin.as_bytes()).await;
        drop(pipe);
        let output = child.wait_with_output().await.unwrap();
        CommandOutput {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Writes a file next to the data directory. Returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Returns the operations in the audit log, oldest first.
    pub(crate) async fn operations(&self) -> Vec<String> {
        let listed = self.json(&["audit", "list"]).await;
        listed["rows"].as_array().unwrap().iter().map(|row| row["operation"].as_str().unwrap().to_owned()).collect()
    }
}

/// Returns true if no file below the directory contains the secret.
pub(crate) fn is_absent_from(folder: &Path, secret: &str) -> bool {
    std::fs::read_dir(folder).unwrap().all(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_absent_from(&path, secret);
        }
        let bytes = std::fs::read(&path).unwrap();
        !bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
    })
}
