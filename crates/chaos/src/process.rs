//! Clew processes that the tests kill and restart with the same command line.

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

use crate::error::{ChaosError, io_error};

const STARTUP_OR_SHUTDOWN_TIMEOUT: Duration = Duration::from_mins(1);

/// A restartable Clew process. Dropping the value kills the process.
#[derive(Debug)]
pub(crate) struct ClewProcess {
    pub(crate) name: String,
    /// Program and arguments of the process, including wrapper programs such as `unshare`.
    command: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    log: PathBuf,
    child: Option<Child>,
}

impl ClewProcess {
    /// Creates a handle for a process without starting the process.
    pub(crate) fn new(
        name: &str,
        command: Vec<OsString>,
        environment: Vec<(&'static str, OsString)>,
        logs: &Path,
    ) -> Self {
        let log = logs.join(format!("{name}.log"));
        Self { name: name.to_owned(), command, environment, log, child: None }
    }

    /// Starts the process and returns the first line of its standard output.
    /// The kernel kills the process when the calling thread exits.
    pub(crate) async fn start(&mut self) -> Result<String, ChaosError> {
        let (program, arguments) =
            self.command.split_first().ok_or_else(|| self.build_process_error("the command is empty"))?;
        let log = File::options().create(true).append(true).open(&self.log).map_err(io_error("write a log"))?;
        let mut command = Command::new(program);
        command.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().map_err(io_error("start clew"))?;
        let stdout = child.stdout.take();
        self.child = Some(child);
        let Some(stdout) = stdout else { return Err(self.build_process_error("its stdout is not captured")) };
        let mut lines = BufReader::new(stdout).lines();
        match timeout(STARTUP_OR_SHUTDOWN_TIMEOUT, lines.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            _ => Err(self.build_process_error("it did not start in time")),
        }
    }

    /// Kills the process (SIGKILL) and waits until it has exited.
    pub(crate) async fn kill(&mut self) -> Result<(), ChaosError> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.map_err(io_error("kill a process"))?;
        }
        Ok(())
    }

    /// Requests a graceful shutdown (SIGTERM). Returns true if the process exits successfully before the timeout.
    pub(crate) async fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return true };
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let signaled = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        signaled
            && matches!(timeout(STARTUP_OR_SHUTDOWN_TIMEOUT, child.wait()).await, Ok(Ok(status)) if status.success())
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    pub(crate) fn current_log_size(&self) -> u64 {
        self.log.metadata().map_or(0, |log| log.len())
    }

    /// Replaces invalid UTF-8 sequences in the process log with U+FFFD.
    pub(crate) fn read_log_from_offset(&self, offset: u64) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.log).and_then(|mut log| log.read_to_end(&mut bytes));
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        read.map_or_else(
            |_| String::new(),
            |_| String::from_utf8_lossy(bytes.get(offset..).unwrap_or_default()).into_owned(),
        )
    }

    pub(crate) fn build_process_error(&self, reason: &str) -> ChaosError {
        ChaosError::Process { name: self.name.clone(), reason: reason.to_owned(), log: self.log.clone() }
    }
}
