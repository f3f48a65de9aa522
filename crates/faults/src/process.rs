//! Processes of Clew: started, killed, and started again as they were.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::error::{FaultsError, io};

/// For a process to begin, and to end in order.
const LIMIT: Duration = Duration::from_mins(1);

/// A process that can be started again. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Clew {
    pub(crate) name: String,
    /// What stands before and in place of the program: it may give it a disk of its own.
    command: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Clew {
    /// One that is not started yet.
    pub(crate) fn new(
        name: &str,
        command: Vec<OsString>,
        environment: Vec<(&'static str, OsString)>,
        logs: &Path,
    ) -> Self {
        let log = logs.join(format!("{name}.log"));
        Self { name: name.to_owned(), command, environment, log, child: None }
    }

    /// Starts it, and waits for the first line that it says. Call it on a thread that lives as long as the process should.
    pub(crate) async fn start(&mut self) -> Result<String, FaultsError> {
        let (program, arguments) = self.command.split_first().ok_or_else(|| self.failed("there is no program"))?;
        let log = File::options().create(true).append(true).open(&self.log).map_err(io("write a log"))?;
        let mut command = Command::new(program);
        command.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().map_err(io("start clew"))?;
        let said = child.stdout.take();
        self.child = Some(child);
        let Some(said) = said else { return Err(self.failed("it cannot be heard")) };
        let mut lines = BufReader::new(said).lines();
        match timeout(LIMIT, lines.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            _ => Err(self.failed("it did not begin")),
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> Result<(), FaultsError> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.map_err(io("kill a process"))?;
        }
        Ok(())
    }

    /// SIGTERM; whether it ended in order, in time.
    pub(crate) async fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return true };
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        asked && matches!(timeout(LIMIT, child.wait()).await, Ok(Ok(status)) if status.success())
    }

    /// Its process id, as long as it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Where the log ends now.
    pub(crate) fn said(&self) -> u64 {
        self.log.metadata().map_or(0, |log| log.len())
    }

    /// What it has said since then. Bytes that are no text are replaced.
    pub(crate) fn said_since(&self, said: u64) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.log).and_then(|mut log| log.read_to_end(&mut bytes));
        let since = usize::try_from(said).unwrap_or(usize::MAX);
        read.map_or_else(
            |_| String::new(),
            |_| String::from_utf8_lossy(bytes.get(since..).unwrap_or_default()).into_owned(),
        )
    }

    pub(crate) fn failed(&self, reason: &str) -> FaultsError {
        FaultsError::Clew { name: self.name.clone(), reason: reason.to_owned(), log: self.log.clone() }
    }
}
