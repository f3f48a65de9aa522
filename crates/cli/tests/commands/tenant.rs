//! A data directory with the folk of one story, for the commands that manage them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use crate::run::{Ended, clew, initialise, run};

/// A data directory of its own.
pub(crate) struct Tenant {
    pub(crate) folder: TempDir,
    /// What `clew init` printed.
    pub(crate) made: Value,
}

impl Tenant {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = initialise(&folder.path().join("data")).await;
        Self { folder, made }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs `clew` on the data directory.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        run(&[arguments, &["--data-dir", self.dir().to_str().unwrap()]].concat()).await
    }

    /// Runs what must go well, and returns what it said.
    pub(crate) async fn says(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.stdout
    }

    /// The same as JSON.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let said = self.says(&[arguments, &["--format", "json"]].concat()).await;
        serde_json::from_str(&said).unwrap()
    }

    /// Runs `clew` on the data directory with this on stdin.
    pub(crate) async fn told(&self, arguments: &[&str], stdin: &str) -> Ended {
        let mut command = clew(&[arguments, &["--data-dir", self.dir().to_str().unwrap()]].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // A command that refuses before it reads closes the pipe.
        let _ = pipe.write_all(stdin.as_bytes()).await;
        drop(pipe);
        let output = child.wait_with_output().await.unwrap();
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Writes a file beside the data directory.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Operations of the audit, the oldest first.
    pub(crate) async fn operations(&self) -> Vec<String> {
        let listed = self.json(&["audit", "list"]).await;
        listed["rows"].as_array().unwrap().iter().map(|row| row["operation"].as_str().unwrap().to_owned()).collect()
    }
}

/// True if no file below the folder has these bytes.
pub(crate) fn is_nowhere(folder: &Path, secret: &str) -> bool {
    std::fs::read_dir(folder).unwrap().all(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_nowhere(&path, secret);
        }
        let bytes = std::fs::read(&path).unwrap();
        !bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
    })
}
