//! Locates the workspace root, and runs cargo and git in the workspace root.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::command::Command;
use crate::error::DevtoolsError;
use crate::progress::Step;

const BUILD_TIMEOUT: Duration = Duration::from_mins(45);

/// Cargo arguments for all development builds. Identical arguments allow Cargo to reuse compiled dependencies.
/// The constant `CARGO_PACKAGE_ARGUMENTS` of the `xtask` launcher must have the same value as `DEV_BUILD_CARGO_ARGS`.
pub const DEV_BUILD_CARGO_ARGS: [&str; 4] = ["--package", "clew", "--package", "clew-devtools"];

/// Returns the workspace root directory, which the xtask launcher passes in `CLEW_WORKSPACE_ROOT`.
/// The path is not a compile-time constant, because this program may have been compiled in another Git clone.
pub fn root_dir() -> PathBuf {
    std::env::var_os("CLEW_WORKSPACE_ROOT").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// Returns a cargo command whose working directory is the workspace root.
pub fn cargo_command() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Command::new(cargo).current_dir(root_dir())
}

/// Runs git in the workspace root and returns its output. Returns `None` if git fails.
pub async fn run_git(arguments: &[&str]) -> Option<String> {
    let git = Command::new("git").current_dir(root_dir()).args(arguments.iter().copied());
    git.capture_stdout_if_successful().await.map(|output| output.trim().to_owned())
}

/// An executable built by cargo.
#[derive(Debug, Clone)]
pub struct BuiltProgram {
    /// Name of the cargo target.
    pub name: String,
    /// Kind of cargo target, such as `bin`, `test` or `bench`.
    pub kind: String,
    /// Path of the executable.
    pub path: PathBuf,
}

/// Builds `clew` with the given cargo profile and returns the path of the executable.
pub async fn build_clew_with_cargo_profile(profile: &str) -> Result<PathBuf, DevtoolsError> {
    let arguments = [&["build", "--profile", profile, "--bin", "clew"], &DEV_BUILD_CARGO_ARGS[..]].concat();
    find_clew_program(&build_programs("Building clew", &arguments).await?)
}

/// Builds `clew` in release mode, without the Cargo features that only development tasks use.
pub async fn build_clew_in_release_mode() -> Result<PathBuf, DevtoolsError> {
    let arguments = ["build", "--release", "--package", "clew", "--bin", "clew"];
    find_clew_program(&build_programs("Building clew", &arguments).await?)
}

/// Returns the path of the built `clew` executable.
pub fn find_clew_program(programs: &[BuiltProgram]) -> Result<PathBuf, DevtoolsError> {
    find_built_program(programs, "bin", "clew")
}

/// Returns the path of a built program, or an error if cargo did not build the program.
pub fn find_built_program(programs: &[BuiltProgram], kind: &str, name: &str) -> Result<PathBuf, DevtoolsError> {
    let found = programs.iter().find(|program| program.kind == kind && program.name == name);
    found
        .map(|program| program.path.clone())
        .ok_or_else(|| DevtoolsError::Failed(format!("cargo did not build the {kind} target {name}")))
}

/// Runs a Cargo build command and returns the programs that Cargo built.
pub async fn build_programs(step_name: &str, arguments: &[&str]) -> Result<Vec<BuiltProgram>, DevtoolsError> {
    let step = Step::start(step_name);
    let build = cargo_command().args(arguments.iter().copied()).args(["--locked"]);
    build.run_with_progress(&step, BUILD_TIMEOUT).await?;
    step.complete();
    // All targets are up to date, so the command only prints the paths of the executables.
    let output = build.args(["--quiet", "--message-format", "json"]).output().await?;
    Ok(output.lines().filter_map(|line| parse_cargo_artifact(&serde_json::from_str(line).ok()?)).collect())
}

/// Returns `None` for unit tests and messages without an executable.
fn parse_cargo_artifact(message: &Value) -> Option<BuiltProgram> {
    let text = |pointer| message.pointer(pointer).and_then(Value::as_str);
    let kind = text("/target/kind/0")?;
    if kind == "bin" && message.pointer("/profile/test")?.as_bool()? {
        return None;
    }
    Some(BuiltProgram {
        name: text("/target/name")?.to_owned(),
        kind: kind.to_owned(),
        path: text("/executable")?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_tests_of_a_binary_are_not_programs() {
        let message = |kind: &str, test: bool| {
            serde_json::json!({
                "target": { "kind": [kind], "name": "clew" }, "profile": { "test": test }, "executable": "/x/clew"
            })
        };
        assert!(parse_cargo_artifact(&message("bin", false)).is_some_and(|program| program.path.ends_with("x/clew")));
        assert!(parse_cargo_artifact(&message("bin", true)).is_none());
        assert!(parse_cargo_artifact(&message("bench", true)).is_some_and(|program| program.kind == "bench"));
        assert!(parse_cargo_artifact(&serde_json::json!({ "reason": "build-finished", "success": true })).is_none());
    }
}
