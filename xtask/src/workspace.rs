//! Where this clone is, and what cargo and git do in it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::Step;

/// A first build on a slow machine.
const BUILD_LIMIT: Duration = Duration::from_mins(45);

/// The root of the clone. Cargo says where this package is; a binary kept from another clone would not know.
pub(crate) fn root() -> PathBuf {
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package.parent().map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// The cargo that started this, in the root of the clone.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Command::new(cargo).in_folder(root())
}

/// What git says in the root of the clone; nothing where it cannot.
pub(crate) async fn git(arguments: &[&str]) -> Option<String> {
    let git = Command::new("git").in_folder(root()).args(arguments.iter().copied());
    git.answer_if_it_works().await.map(|answer| answer.trim().to_owned())
}

/// A program that cargo built.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Of the target.
    pub(crate) name: String,
    /// `bin`, `test`, `bench`, …
    pub(crate) kind: String,
    pub(crate) path: PathBuf,
}

/// Builds `clew`, and says where it is. `profile` are cargo's arguments for it.
pub(crate) async fn build_clew(profile: &[&str]) -> Result<PathBuf, XtaskError> {
    let arguments = [&["build", "--package", "clew", "--bin", "clew"], profile].concat();
    clew_among(&build("Building clew", &arguments).await?)
}

/// The `clew` among what was built.
pub(crate) fn clew_among(programs: &[Program]) -> Result<PathBuf, XtaskError> {
    program_among(programs, "bin", "clew")
}

/// A program among those that were built.
pub(crate) fn program_among(programs: &[Program], kind: &str, name: &str) -> Result<PathBuf, XtaskError> {
    let found = programs.iter().find(|program| program.kind == kind && program.name == name);
    found
        .map(|program| program.path.clone())
        .ok_or_else(|| XtaskError::NotBuilt { kind: kind.to_owned(), name: name.to_owned() })
}

/// Builds what cargo's arguments say, and tells the programs that came of it.
pub(crate) async fn build(doing: &str, arguments: &[&str]) -> Result<Vec<Program>, XtaskError> {
    let step = Step::start(doing);
    let build = cargo().args(arguments.iter().copied()).args(["--locked"]);
    build.run_in(&step, BUILD_LIMIT).await?;
    step.done();
    // Built by now, so cargo only says where it is.
    let answer = build.args(["--quiet", "--message-format", "json"]).answer().await?;
    Ok(answer.lines().filter_map(|line| program(&serde_json::from_str(line).ok()?)).collect())
}

/// The program of a message of cargo's, if it is of one. Unit tests of a program are none.
fn program(message: &Value) -> Option<Program> {
    let text = |pointer| message.pointer(pointer).and_then(Value::as_str);
    let kind = text("/target/kind/0")?;
    if kind == "bin" && message.pointer("/profile/test")?.as_bool()? {
        return None;
    }
    Some(Program { name: text("/target/name")?.to_owned(), kind: kind.to_owned(), path: text("/executable")?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_from_their_unit_tests() {
        let message = |kind: &str, test: bool| {
            serde_json::json!({
                "target": { "kind": [kind], "name": "clew" }, "profile": { "test": test }, "executable": "/x/clew"
            })
        };
        assert!(program(&message("bin", false)).is_some_and(|program| program.path.ends_with("x/clew")));
        assert!(program(&message("bin", true)).is_none());
        assert!(program(&message("bench", true)).is_some_and(|program| program.kind == "bench"));
        assert!(program(&serde_json::json!({ "reason": "build-finished", "success": true })).is_none());
    }
}
