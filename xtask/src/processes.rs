//! Processes that this task started: ending them, and what the kernel tells of them.

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

/// Sends SIGTERM; nothing where it has ended.
pub(crate) fn ask_to_end(process: &Child) {
    let pid = process.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended between the two lines, which is what is wanted.
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// The most memory that a process ever had (VmHWM), in KiB; nothing where it has ended.
pub(crate) fn peak_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find(|line| line.starts_with("VmHWM:"))?.split_whitespace().nth(1)?.parse().ok()
}

/// Whether this task may do everything.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// KiB as MiB.
pub(crate) fn mib(kib: u64) -> f64 {
    u32::try_from(kib).map_or(f64::INFINITY, f64::from) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_one_that_is_not_has_none() {
        assert!(peak_kib(std::process::id()).unwrap() > 100);
        assert_eq!(peak_kib(u32::MAX), None);
    }
}
