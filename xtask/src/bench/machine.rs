//! What it was measured on: enough to compare, nothing that names a machine.

use crate::command::Command;
use crate::workspace;

/// Lines of a list.
pub(super) async fn describe(build: &str) -> String {
    let commit = workspace::git(&["rev-parse", "--short", "HEAD"]).await.unwrap_or_else(|| "unknown".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = said(Command::new("uname").args(["-sr"])).await;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    format!(
        "- clew at {commit}, {build}\n- {cores} cores, {} GiB of memory, {kernel}; load average at the end {load}\n",
        memory().unwrap_or_default()
    )
}

/// GiB.
fn memory() -> Option<u64> {
    let all = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = all.lines().find(|line| line.starts_with("MemTotal:"))?.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / (1 << 20))
}

async fn said(command: Command) -> String {
    command.answer_if_it_works().await.map_or_else(|| "unknown".to_owned(), |answer| answer.trim().to_owned())
}
