//! Helpers that wait for a process to start, stop a process gracefully, and read its memory use from `/proc`.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use crate::error::DevtoolsError;

const STARTUP_OR_SHUTDOWN_TIMEOUT: Duration = Duration::from_mins(1);

/// Returns the first output line of `process`, or `None` if no line arrives within a minute.
pub async fn read_first_output_line(process: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(process.stdout.take()?).lines();
    timeout(STARTUP_OR_SHUTDOWN_TIMEOUT, lines.next_line()).await.ok()?.ok()?
}

/// Sends SIGTERM to a Clew process and waits until it exits.
/// Returns an error if the exit status is nonzero or if the process does not exit within a minute.
pub async fn stop_gracefully(process: &mut Child) -> Result<(), DevtoolsError> {
    let pid = process.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // The process may have exited already.
        let _ = kill_process(pid, Signal::TERM);
    }
    Err(DevtoolsError::Failed(match timeout(STARTUP_OR_SHUTDOWN_TIMEOUT, process.wait()).await {
        Ok(Ok(status)) if status.success() => return Ok(()),
        Ok(Ok(status)) => format!("`clew` failed ({status})"),
        Ok(Err(cause)) => format!("cannot wait for `clew`: {cause}"),
        Err(_) => "`clew` did not stop in time".to_owned(),
    }))
}

/// Returns a process's peak resident memory (VmHWM) in KiB, or `None` if the process has exited.
#[must_use]
pub fn read_peak_memory_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find(|line| line.starts_with("VmHWM:"))?.split_whitespace().nth(1)?.parse().ok()
}

/// Returns true if this process runs as root.
#[must_use]
pub fn is_running_as_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Converts KiB to MiB.
pub fn kib_to_mib(kib: u64) -> f64 {
    u32::try_from(kib).map_or(f64::INFINITY, f64::from) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_none_for_a_missing_process() {
        assert!(read_peak_memory_kib(std::process::id()).unwrap() > 100);
        assert_eq!(read_peak_memory_kib(u32::MAX), None);
    }
}
