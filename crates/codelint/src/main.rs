//! Checks the project's code for import cycles, layer violations and banned words.
//!
//! `cargo xtask lint` runs this program in the workspace root. The program fails if any check reports a finding.

mod banned_words;
mod imports;
mod layers;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use imports::ImportGraph;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct CodelintError(String);

fn main() -> ExitCode {
    let findings = run_checks().unwrap_or_else(|error| vec![error.to_string()]);
    // Ignore write errors: if stderr is closed, the findings cannot be reported elsewhere.
    let _ = writeln!(std::io::stderr(), "{}", findings.join("\n"));
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_checks() -> Result<Vec<String>, CodelintError> {
    let files: Vec<PathBuf> = run_program("git", &["ls-files"])?.lines().map(PathBuf::from).collect();
    let mut graph = ImportGraph::default();
    for root in files.iter().filter(|file| is_crate_root_file(file)) {
        graph.add_crate_imports(root)?;
    }
    let typescript: Vec<PathBuf> = files.iter().filter(|file| is_typescript_file(file)).cloned().collect();
    graph.add_typescript_imports(&typescript)?;
    let mut findings = graph.find_import_cycles();

    let metadata = run_program("cargo", &["metadata", "--no-deps", "--format-version", "1", "--locked"])?;
    let metadata = serde_json::from_str(&metadata)
        .map_err(|error| CodelintError(format!("cannot parse the output of `cargo metadata`: {error}")))?;
    findings.extend(layers::find_layer_violations(&metadata));

    for file in &files {
        if let Some(kind) = banned_words::FileKind::of(file) {
            findings.extend(banned_words::find_banned_words(file, &read_source_file(file)?, kind));
        }
    }
    Ok(findings)
}

fn is_crate_root_file(file: &Path) -> bool {
    file.ends_with("src/lib.rs") || file.ends_with("src/main.rs")
}

fn is_typescript_file(file: &Path) -> bool {
    file.starts_with("web/src") && file.extension().is_some_and(|extension| extension == "ts" || extension == "tsx")
}

fn read_source_file(file: &Path) -> Result<String, CodelintError> {
    std::fs::read_to_string(file).map_err(|error| CodelintError(format!("cannot read {}: {error}", file.display())))
}

fn run_program(program: &str, arguments: &[&str]) -> Result<String, CodelintError> {
    let failed = |reason: &str| CodelintError(format!("cannot run `{program} {}`: {reason}", arguments.join(" ")));
    let output = Command::new(program).args(arguments).output().map_err(|error| failed(&error.to_string()))?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(&error.to_string()))
}
