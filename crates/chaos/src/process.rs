//! Clew processes that a fault injection test kills and restarts with the same command line.

use std::fs::File;
use std::path::{Path, PathBuf};

use clew_devtools::command::Command;
use clew_devtools::{DevtoolsError, processes};
use tokio::process::Child;

use crate::error::{ChaosError, operation_error};

#[derive(Debug)]
pub(crate) struct ClewProcess {
    pub(crate) name: String,
    command: Command,
    log: PathBuf,
    child: Option<Child>,
}

impl ClewProcess {
    pub(crate) fn new(name: &str, command: Command, logs: &Path) -> Self {
        Self { name: name.to_owned(), command, log: logs.join(format!("{name}.log")), child: None }
    }

    /// Returns the first line of the standard output.
    /// If the thread that started the process exits, the kernel kills the process.
    pub(crate) async fn start(&mut self) -> Result<String, ChaosError> {
        let log = File::options().create(true).append(true).open(&self.log).map_err(operation_error("write a log"))?;
        let child = self.child.insert(self.command.start(log)?);
        let first_line = processes::read_first_output_line(child).await;
        first_line.ok_or_else(|| self.error_with_log_path("it did not start in time"))
    }

    pub(crate) async fn kill(&mut self) -> Result<(), ChaosError> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.map_err(operation_error("kill a process"))?;
        }
        Ok(())
    }

    /// Returns true if the process exits successfully before the timeout.
    pub(crate) async fn stop(&mut self) -> bool {
        match self.child.take() {
            Some(mut child) => processes::stop_gracefully(&mut child).await.is_ok(),
            None => true,
        }
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    pub(crate) fn current_log_size(&self) -> u64 {
        self.log.metadata().map_or(0, |log| log.len())
    }

    pub(crate) fn read_log_from_offset(&self, offset: u64) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        String::from_utf8_lossy(bytes.get(offset..).unwrap_or_default()).into_owned()
    }

    pub(crate) fn error_with_log_path(&self, reason: &str) -> ChaosError {
        DevtoolsError::Failed(format!("{}: {reason}; its log is {}", self.name, self.log.display())).into()
    }
}
