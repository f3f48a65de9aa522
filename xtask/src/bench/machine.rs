//! What it was measured on, and with what: enough to compare, nothing that names a machine.

use std::fmt::Write;

use clew_testkit::setup;

use crate::command::Command;
use crate::workspace;

/// Programs beside Clew: how each is asked for its version, and the line of its answer. Servers are asked when they run.
const PROGRAMS: [(&str, &[&str]); 5] = [
    ("rustc", &["--version"]),
    ("mariadb", &["--version"]),
    ("sysbench", &["--version"]),
    ("wrk", &["--version"]),
    // hey does not tell.
    ("dpkg-query", &["--show", "--showformat=${Package} ${Version}", "hey"]),
];

/// Lines of a list.
pub(super) async fn describe(build: &str) -> String {
    let commit = workspace::git(&["rev-parse", "--short", "HEAD"]).await.unwrap_or_else(|| "unknown".to_owned());
    let changed = workspace::git(&["status", "--porcelain"]).await.is_some_and(|changes| !changes.is_empty());
    let changed = if changed { " with changes" } else { "" };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut lines = format!(
        "- clew at {commit}{changed}, {build}\n- {cores} cores ({}), {} GiB of memory, {}; load average at the start {}\n",
        processor().unwrap_or_default(),
        memory().unwrap_or_default(),
        said("uname", &["-sr"]).await,
        load_average()
    );
    let mut versions = Vec::new();
    for (program, arguments) in PROGRAMS {
        versions.push(said(program, arguments).await);
    }
    versions.push(nginx().await);
    for version in versions {
        let _ = writeln!(lines, "- {version}");
    }
    lines
}

/// Processes that could run, on average over the last minute.
pub(super) fn load_average() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().unwrap_or_default().to_owned()
}

fn processor() -> Option<String> {
    let all = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = all.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(": ").map(|(_, name)| name.to_owned())
}

/// GiB.
fn memory() -> Option<u64> {
    let all = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = all.lines().find(|line| line.starts_with("MemTotal:"))?.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / (1 << 20))
}

/// The first line of what a program says, without a path. Some say it and fail, as wrk does.
async fn said(program: &str, arguments: &[&str]) -> String {
    let shell = Command::new("sh").args(["-c", "\"$@\" 2>&1 || true", "sh", program]).args(arguments.iter().copied());
    let answer = shell.answer_if_it_works().await.unwrap_or_default();
    let line = answer.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    // wrk names its author, MariaDB its program's path.
    let line = line.split(" Copyright").next().unwrap_or_default().trim();
    let first = line.split(' ').next().unwrap_or_default();
    let name = first.rsplit('/').next().unwrap_or_default();
    line.replacen(first, name, 1)
}

async fn nginx() -> String {
    said(&setup::nginx().to_string_lossy(), &["-v"]).await.replace("nginx version: ", "")
}
