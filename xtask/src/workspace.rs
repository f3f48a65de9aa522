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

/// Builds `clew`, and says where it is. `what` are cargo's arguments: packages, targets, profile.
pub(crate) async fn build_clew(what: &[&str]) -> Result<PathBuf, XtaskError> {
    let step = Step::start("Building clew");
    let build = cargo().args(["build", "--locked"]).args(what.iter().copied());
    build.run_in(&step, BUILD_LIMIT).await?;
    step.done();
    // Built by now, so cargo only says where it is.
    let where_is_it = build.args(["--quiet", "--message-format", "json"]);
    let answer = where_is_it.answer().await?;
    answer
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/name").is_some_and(|name| name == "clew"))
        .filter(|message| message.pointer("/profile/test").is_some_and(|test| test == false))
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .ok_or_else(|| XtaskError::Answer {
            command: where_is_it.shown(),
            cause: "no executable named clew".to_owned(),
            answer,
        })
}
