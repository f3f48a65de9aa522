//! Sends signals to child processes and reads their memory use from `/proc`.

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

/// Sends SIGTERM to a child process unless it has exited.
pub fn send_sigterm(process: &Child) {
    let pid = process.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // The process may have exited already.
        let _ = kill_process(pid, Signal::TERM);
    }
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
