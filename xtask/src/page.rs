//! The page: built by Node before Rust embeds it, and its own tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::{self, Step};
use crate::workspace;

/// For one try of one download, or one build.
const LIMIT: Duration = Duration::from_mins(10);
/// The oldest Node that Vite runs on.
const OLDEST_NODE: [u32; 2] = [20, 19];

/// Everything that the built page is made from.
const SOURCES: [&str; 7] = [
    "src",
    "scripts",
    "index.html",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "../crates/api/tests/api/snapshots/api__openapi__openapi.snap",
];

/// Builds `web/dist`, unless it is newer than all that it is made from.
pub(crate) async fn build() -> Result<(), XtaskError> {
    need_node().await?;
    install().await?;
    let web = web();
    let built = modified(&web.join("dist/index.html"));
    if built.is_some_and(|built| SOURCES.iter().all(|source| newest(&web.join(source)) < Some(built))) {
        return Ok(());
    }
    let step = Step::start("Building the page");
    npm(&["run", "build"]).run_in(&step, LIMIT).await?;
    step.done();
    Ok(())
}

/// The same where Node is there; else it is said that the program has no page.
pub(crate) async fn build_if_possible() -> Result<(), XtaskError> {
    match build().await {
        Err(missing @ XtaskError::NoNode { .. }) => {
            steps::say(&format!("The service will have no web page: {missing}"));
            Ok(())
        }
        built => built,
    }
}

/// The page's tests that need no browser.
pub(crate) async fn test() -> Result<(), XtaskError> {
    steps::heading("The page's parts");
    npm(&["test"]).run().await
}

/// What `package-lock.json` names, and nothing else.
async fn install() -> Result<(), XtaskError> {
    let web = web();
    // npm writes this file when it is done.
    let installed = modified(&web.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= modified(&web.join("package-lock.json")) {
        return Ok(());
    }
    let step = Step::start("Installing what the page is built with (npm, once)");
    npm(&["ci", "--no-audit", "--no-fund"]).retry_in(&step, LIMIT).await?;
    step.done();
    Ok(())
}

fn web() -> PathBuf {
    workspace::root().join("web")
}

fn npm(arguments: &[&str]) -> Command {
    Command::new("npm").in_folder(web()).args(arguments.iter().copied())
}

async fn need_node() -> Result<(), XtaskError> {
    let [major, minor] = OLDEST_NODE;
    let answer = Command::new("node").args(["--version"]).answer_if_it_works().await;
    if answer.as_deref().and_then(version) >= Some(OLDEST_NODE) {
        return Ok(());
    }
    let found = answer.map_or_else(|| "there is none".to_owned(), |answer| format!("here is {}", answer.trim()));
    Err(XtaskError::NoNode { wanted: format!("{major}.{minor}"), found })
}

/// The version in an answer such as `v20.19.5`.
fn version(answer: &str) -> Option<[u32; 2]> {
    let mut numbers = answer.trim().strip_prefix('v')?.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?])
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// When the newest file of a folder was written, or the file; what is not there is older than everything.
fn newest(path: &Path) -> Option<SystemTime> {
    // The types are made anew with each build.
    if path.ends_with("api/schema.ts") {
        return None;
    }
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().filter_map(|entry| newest(&entry.path())).max().max(modified(path)),
        Err(_) => modified(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read_and_compared_as_numbers() {
        assert_eq!(version("v20.19.5\n"), Some([20, 19]));
        assert!(version("v9.9.9") < Some(OLDEST_NODE));
        assert!(version("v22.1.0") > Some(OLDEST_NODE));
        assert_eq!(version("nonsense"), None);
    }

    #[test]
    fn the_newest_file_of_a_folder_counts() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let before = newest(folder.path());
        fs::write(inner.join("one"), "").unwrap();
        let file = fs::File::options().write(true).open(inner.join("one")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
        assert!(newest(folder.path()) > before);
        assert_eq!(newest(&folder.path().join("none")), None);
    }
}
