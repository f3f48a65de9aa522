//! Builds the web page with Node.js and runs the page's unit tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::command::Command;
use crate::error::DevtoolsError;
use crate::progress::{self, Step};
use crate::workspace;

const WEB_BUILD_STEP_TIMEOUT: Duration = Duration::from_mins(10);
/// Minimum Node.js version (major, minor) that Vite requires.
const MIN_NODE_JS_VERSION: [u32; 2] = [20, 19];

const WEB_PAGE_SOURCE_PATHS: [&str; 8] = [
    "src",
    "package.json",
    "api-types/generate.mjs",
    "index.html",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "../crates/api/tests/api/snapshots/api__openapi__openapi.snap",
];

/// Builds `web/dist` if no build exists or if a source file is newer than the existing build.
pub async fn build_web_page() -> Result<(), DevtoolsError> {
    check_node_js_version().await?;
    install_npm_packages().await?;
    let web = web_dir();
    let built = read_modification_time(&web.join("dist/index.html"));
    if built.is_some_and(|built| {
        WEB_PAGE_SOURCE_PATHS.iter().all(|source| find_newest_modification_time(&web.join(source)) < Some(built))
    }) {
        return Ok(());
    }
    let step = Step::start("Building the web page");
    npm_command(&["run", "build"]).run_with_progress(&step, WEB_BUILD_STEP_TIMEOUT).await?;
    step.complete();
    Ok(())
}

/// Builds the web page. If Node.js is missing, prints a notice that the server will not include the page.
pub async fn build_web_page_if_node_js_is_installed() -> Result<(), DevtoolsError> {
    match build_web_page().await {
        Err(missing @ DevtoolsError::MissingNode(..)) => {
            progress::print_line(&format!("The server will have no web page: {missing}"));
            Ok(())
        }
        built => built,
    }
}

/// Runs the web page's unit tests, which do not require a browser.
pub async fn run_web_page_tests() -> Result<(), DevtoolsError> {
    progress::print_heading("Unit tests of the web page");
    npm_command(&["test"]).run().await
}

async fn install_npm_packages() -> Result<(), DevtoolsError> {
    let web = web_dir();
    // npm writes this file at the end of an installation.
    let installed = read_modification_time(&web.join("node_modules/.package-lock.json"));
    // The packages of the workspace `api-types` are in a directory of their own.
    let has_api_types = web.join("api-types/node_modules").exists();
    if has_api_types && installed.is_some() && installed >= read_modification_time(&web.join("package-lock.json")) {
        return Ok(());
    }
    let step = Step::start("Installing the npm packages of the web page (once)");
    npm_command(&["ci", "--no-audit", "--no-fund"]).run_with_retries(&step, WEB_BUILD_STEP_TIMEOUT).await?;
    step.complete();
    Ok(())
}

fn web_dir() -> PathBuf {
    workspace::root_dir().join("web")
}

/// Returns an npm command that runs in the web page's directory.
/// Call [`build_web_page`] first, because it installs the npm packages that npm commands need.
pub fn npm_command(arguments: &[&str]) -> Command {
    Command::new("npm").current_dir(web_dir()).args(arguments.iter().copied())
}

async fn check_node_js_version() -> Result<(), DevtoolsError> {
    let [major, minor] = MIN_NODE_JS_VERSION;
    let output = Command::new("node").args(["--version"]).capture_stdout_if_successful().await;
    if output.as_deref().and_then(parse_node_js_version) >= Some(MIN_NODE_JS_VERSION) {
        return Ok(());
    }
    let found = output.map_or_else(
        || "it is not installed".to_owned(),
        |output| format!("the installed version is {}", output.trim()),
    );
    Err(DevtoolsError::MissingNode(format!("{major}.{minor}"), found))
}

/// Parses the major and minor version from output such as `v20.19.5`.
fn parse_node_js_version(output: &str) -> Option<[u32; 2]> {
    let mut numbers = output.trim().strip_prefix('v')?.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?])
}

fn read_modification_time(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

fn find_newest_modification_time(path: &Path) -> Option<SystemTime> {
    // Every build regenerates this file.
    if path.ends_with("api/schema.ts") {
        return None;
    }
    match fs::read_dir(path) {
        Ok(entries) => entries
            .flatten()
            .filter_map(|entry| find_newest_modification_time(&entry.path()))
            .max()
            .max(read_modification_time(path)),
        Err(_) => read_modification_time(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_compare_as_numbers() {
        assert_eq!(parse_node_js_version("v20.19.5\n"), Some([20, 19]));
        assert!(parse_node_js_version("v9.9.9") < Some(MIN_NODE_JS_VERSION));
        assert!(parse_node_js_version("v22.1.0") > Some(MIN_NODE_JS_VERSION));
        assert_eq!(parse_node_js_version("nonsense"), None);
    }

    #[test]
    fn newest_modification_time_in_a_directory_tree_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let before = find_newest_modification_time(directory.path());
        fs::write(inner.join("one"), "").unwrap();
        let file = fs::File::options().write(true).open(inner.join("one")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
        assert!(find_newest_modification_time(directory.path()) > before);
        assert_eq!(find_newest_modification_time(&directory.path().join("none")), None);
    }
}
