//! Checks that `clew` accepts every command line in the documents.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Documents whose command lines describe the current version. Decisions also describe earlier versions.
const DOCUMENTS: [&str; 7] = [
    "README.md",
    "SECURITY.md",
    "docs/access.md",
    "docs/incident.md",
    "docs/operations/README.md",
    "docs/page/README.md",
    "docs/sdk.md",
];
/// Minimum number of different command lines, so that the test notices if it no longer finds them.
const MIN_COMMAND_LINES: usize = 60;

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the `clew` command lines in code blocks and inline code.
fn find_command_lines(markdown: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_block = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            let line = line.trim_start_matches("$ ").trim();
            found.extend(
                line.find("clew ").filter(|start| is_command_position(&line[..*start])).map(|start| &line[start..]),
            );
        } else {
            // In a line of text, every second part between backticks is code.
            found.extend(line.split('`').skip(1).step_by(2).filter(|code| code.starts_with("clew ")));
        }
    }
    found.into_iter().map(str::to_owned).collect()
}

/// Returns whether a command can follow the text, such as `BLOCKER=$(` or `as_clew env CLEW_DB_PASSWORD=… `.
fn is_command_position(before: &str) -> bool {
    let words_are_prefixes = before
        .split_whitespace()
        .all(|word| word == "as_clew" || word == "env" || word == "eval" || word.contains('=') || word.ends_with("$("));
    words_are_prefixes || before.ends_with("$(")
}

/// Returns the arguments of a command line up to the first shell operator.
fn split_arguments(command_line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    for word in command_line.split_whitespace().skip(1) {
        if ["|", ">", "&", "&&", "#", "2>&1"].contains(&word) || word.starts_with('>') {
            break;
        }
        let ends_substitution = word.ends_with(')') && !word.contains('(');
        arguments.push(word.trim_end_matches(|c| ends_substitution && "\")".contains(c)).trim_matches('"').to_owned());
        if ends_substitution {
            break;
        }
    }
    arguments
}

#[test]
fn clew_accepts_the_command_lines_in_the_documents() {
    let mut checked = BTreeSet::new();
    let mut rejected = Vec::new();
    for document in DOCUMENTS {
        let markdown = std::fs::read_to_string(workspace_root().join(document)).unwrap();
        for line in find_command_lines(&markdown) {
            // Ellipses stand for further arguments.
            let arguments: Vec<String> = split_arguments(&line).into_iter().filter(|word| word != "…").collect();
            // With `--help`, clew parses the arguments before it, and prints the help instead of running the command.
            let output = Command::new(env!("CARGO_BIN_EXE_clew")).args(&arguments).arg("--help").output().unwrap();
            if !output.status.success() {
                rejected.push(format!("{document}: {line}: {}", String::from_utf8_lossy(&output.stderr)));
            }
            checked.insert(line);
        }
    }
    assert!(rejected.is_empty(), "{}", rejected.join("\n"));
    assert!(checked.len() >= MIN_COMMAND_LINES, "{checked:#?}");
}

#[test]
fn unknown_options_and_commands_are_rejected_before_the_help() {
    for arguments in [&["ps", "--no-such-option", "--help"][..], &["no-such-command", "--help"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_clew")).args(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
    }
}
