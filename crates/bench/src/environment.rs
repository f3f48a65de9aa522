//! Describes the benchmark environment: hardware and program versions, but not the host name.

use std::fmt::Write;

use clew_devtools::command::Command;
use clew_devtools::workspace;
use clew_testkit::test_tools;

const VERSION_COMMANDS: [(&str, &[&str]); 5] = [
    ("rustc", &["--version"]),
    ("mariadb", &["--version"]),
    ("sysbench", &["--version"]),
    ("wrk", &["--version"]),
    // hey has no version option.
    ("dpkg-query", &["--show", "--showformat=${Package} ${Version}", "hey"]),
];

pub(super) async fn describe_environment(build: &str) -> String {
    let commit = workspace::run_git(&["rev-parse", "--short", "HEAD"]).await.unwrap_or_else(|| "unknown".to_owned());
    let is_dirty = workspace::run_git(&["status", "--porcelain"]).await.is_some_and(|changes| !changes.is_empty());
    let suffix = if is_dirty { " with changes" } else { "" };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut lines = format!(
        "- clew at {commit}{suffix}, {build}\n- {cores} cores ({}), {} GiB of memory, {}; load average at the start {}\n",
        read_processor_model().unwrap_or_default(),
        read_total_memory_gib().unwrap_or_default(),
        read_program_version("uname", &["-sr"]).await,
        read_load_average()
    );
    let mut versions = Vec::new();
    for (program, arguments) in VERSION_COMMANDS {
        versions.push(read_program_version(program, arguments).await);
    }
    versions.push(read_nginx_version().await);
    for version in versions {
        let _ = writeln!(lines, "- {version}");
    }
    lines
}

fn read_load_average() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().unwrap_or_default().to_owned()
}

fn read_processor_model() -> Option<String> {
    let all = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = all.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(": ").map(|(_, name)| name.to_owned())
}

fn read_total_memory_gib() -> Option<u64> {
    let all = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = all.lines().find(|line| line.starts_with("MemTotal:"))?.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / (1 << 20))
}

/// Ignores the exit status, because `wrk --version` exits with an error.
async fn read_program_version(program: &str, arguments: &[&str]) -> String {
    let shell = Command::new("sh").args(["-c", "\"$@\" 2>&1 || true", "sh", program]).args(arguments.iter().copied());
    let output = shell.capture_stdout_if_successful().await.unwrap_or_default();
    let line = output.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    // wrk prints a copyright notice, and MariaDB prints the path of its program.
    let line = line.split(" Copyright").next().unwrap_or_default().trim();
    let first = line.split(' ').next().unwrap_or_default();
    let name = first.rsplit('/').next().unwrap_or_default();
    line.replacen(first, name, 1)
}

async fn read_nginx_version() -> String {
    read_program_version(&test_tools::nginx_path().to_string_lossy(), &["-v"]).await.replace("nginx version: ", "")
}
