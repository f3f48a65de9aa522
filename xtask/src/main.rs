//! Implements `cargo xtask TASK`: builds the program `devtools` in `crates/devtools`, which runs the task.
//!
//! This launcher has no dependencies, so cargo builds it within seconds.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Building `clew` and `clew-devtools` with one cargo command compiles each shared dependency only once.
const CARGO_PACKAGE_ARGUMENTS: [&str; 4] = ["--package", "clew", "--package", "clew-devtools"];

/// A nested cargo build that inherits the variables of `cargo run` rebuilds crates such as `ring`.
const CARGO_RUN_ENV_VAR_PREFIXES: [&str; 3] = ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_"];

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    // The demo is often the first command in a clone, so it uses the profile with the shortest build.
    let profile = if arguments.first().is_some_and(|task| task == "demo") { "demo" } else { "dev" };
    let root = workspace_root();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = command_without_cargo_run_env_vars(&cargo);
    build.current_dir(&root);
    build.args(["build", "--locked", "--profile", profile]).args(CARGO_PACKAGE_ARGUMENTS).args(["--bin", "devtools"]);
    match build.status() {
        Ok(status) if status.success() => {}
        Ok(_) => return ExitCode::FAILURE,
        Err(error) => return print_program_start_error("cargo", &error),
    }
    let Some(tools) = devtools_path(profile) else {
        return print_program_start_error("devtools", &std::io::Error::from(std::io::ErrorKind::NotFound));
    };
    // The tools replace the launcher so that Ctrl-C reaches only the tools, which then stop their servers.
    // They run in the caller's working directory, to which paths in the arguments are relative.
    let mut task = command_without_cargo_run_env_vars(tools.as_os_str());
    print_program_start_error("devtools", &task.env("CLEW_WORKSPACE_ROOT", root).args(arguments).exec())
}

/// Uses `CARGO_MANIFEST_DIR` from the environment if it is set, because the compile-time value may refer to another clone.
fn workspace_root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().unwrap_or(Path::new(".")).to_owned()
}

/// Derives the path `<target>/<profile>/devtools` from the launcher's path `<target>/debug/xtask`.
fn devtools_path(profile: &str) -> Option<PathBuf> {
    let launcher = std::env::current_exe().ok()?;
    let directory = if profile == "dev" { "debug" } else { profile };
    Some(launcher.parent()?.parent()?.join(directory).join("devtools"))
}

fn command_without_cargo_run_env_vars(program: &OsStr) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let is_set_by_cargo_run =
            name.to_str().is_some_and(|name| CARGO_RUN_ENV_VAR_PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
        if is_set_by_cargo_run {
            command.env_remove(name);
        }
    }
    command
}

fn print_program_start_error(program: &str, error: &std::io::Error) -> ExitCode {
    // Ignore write errors: a closed stderr cannot be reported.
    let _ = writeln!(std::io::stderr(), "error: cannot run {program}: {error}");
    ExitCode::FAILURE
}
