//! Build and unit tests of the web page. Node.js builds the page before the Rust build embeds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::command::Command;
use crate::error::XtaskError;
use crate::progress::{self, Step};
use crate::workspace;

/// Time limit of one download attempt or one build.
const STEP_TIMEOUT: Duration = Duration::from_mins(10);
/// Minimum Node.js version of Vite.
const MIN_NODE_VERSION: [u32; 2] = [20, 19];

/// Input files and directories of the page build.
const SOURCES: [&str; 7] = [
    "src",
    "scripts",
    "index.html",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "../crates/api/tests/api/snapshots/api__openapi__openapi.snap",
];

/// Builds `web/dist`, unless it is newer than its input files.
pub(crate) async fn build() -> Result<(), XtaskError> {
    require_node().await?;
    install().await?;
    let web = web_dir();
    let built = modified_at(&web.join("dist/index.html"));
    if built.is_some_and(|built| SOURCES.iter().all(|source| newest_modification(&web.join(source)) < Some(built))) {
        return Ok(());
    }
    let step = Step::start("Building the web page");
    npm(&["run", "build"]).run_in_step(&step, STEP_TIMEOUT).await?;
    step.done();
    Ok(())
}

/// Builds the page if Node.js is installed, otherwise prints that the program will have no page.
pub(crate) async fn build_if_possible() -> Result<(), XtaskError> {
    match build().await {
        Err(missing @ XtaskError::MissingNode { .. }) => {
            progress::print_line(&format!("The server will have no web page: {missing}"));
            Ok(())
        }
        built => built,
    }
}

/// Runs the page's tests that need no browser.
pub(crate) async fn test() -> Result<(), XtaskError> {
    progress::heading("Unit tests of the web page");
    npm(&["test"]).run().await
}

/// Installs exactly the packages of `package-lock.json`.
async fn install() -> Result<(), XtaskError> {
    let web = web_dir();
    // npm writes this file at the end of an installation.
    let installed = modified_at(&web.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= modified_at(&web.join("package-lock.json")) {
        return Ok(());
    }
    let step = Step::start("Installing the npm packages of the web page (once)");
    npm(&["ci", "--no-audit", "--no-fund"]).retry_in_step(&step, STEP_TIMEOUT).await?;
    step.done();
    Ok(())
}

fn web_dir() -> PathBuf {
    workspace::root().join("web")
}

fn npm(arguments: &[&str]) -> Command {
    Command::new("npm").current_dir(web_dir()).args(arguments.iter().copied())
}

async fn require_node() -> Result<(), XtaskError> {
    let [major, minor] = MIN_NODE_VERSION;
    let output = Command::new("node").args(["--version"]).output_if_success().await;
    if output.as_deref().and_then(parse_version) >= Some(MIN_NODE_VERSION) {
        return Ok(());
    }
    let found = output.map_or_else(
        || "it is not installed".to_owned(),
        |output| format!("the installed version is {}", output.trim()),
    );
    Err(XtaskError::MissingNode { required: format!("{major}.{minor}"), found })
}

/// Parses the major and minor version in output such as `v20.19.5`.
fn parse_version(output: &str) -> Option<[u32; 2]> {
    let mut numbers = output.trim().strip_prefix('v')?.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?])
}

fn modified_at(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// Returns the latest modification time in a directory tree, or that of a file; `None` if the path does not exist.
fn newest_modification(path: &Path) -> Option<SystemTime> {
    // Every build regenerates this file.
    if path.ends_with("api/schema.ts") {
        return None;
    }
    match fs::read_dir(path) {
        Ok(entries) => {
            entries.flatten().filter_map(|entry| newest_modification(&entry.path())).max().max(modified_at(path))
        }
        Err(_) => modified_at(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_compare_as_numbers() {
        assert_eq!(parse_version("v20.19.5\n"), Some([20, 19]));
        assert!(parse_version("v9.9.9") < Some(MIN_NODE_VERSION));
        assert!(parse_version("v22.1.0") > Some(MIN_NODE_VERSION));
        assert_eq!(parse_version("nonsense"), None);
    }

    #[test]
    fn latest_modification_in_a_directory_tree_counts() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let before = newest_modification(directory.path());
        fs::write(inner.join("one"), "").unwrap();
        let file = fs::File::options().write(true).open(inner.join("one")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
        assert!(newest_modification(directory.path()) > before);
        assert_eq!(newest_modification(&directory.path().join("none")), None);
    }
}
