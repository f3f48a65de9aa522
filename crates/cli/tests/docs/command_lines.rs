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

/// Returns the `clew` command lines in shell code blocks, in recorded terminal sessions and in inline code.
fn find_command_lines(markdown: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut block_language = None;
    for line in markdown.lines() {
        if let Some(language) = line.strip_prefix("```") {
            block_language = if block_language.is_none() { Some(language) } else { None };
        } else if let Some(language) = block_language {
            // Other blocks contain commands only after a prompt.
            let command = line.strip_prefix("$ ").or_else(|| (language == "sh").then(|| line.trim()));
            let start = command.and_then(|command| Some((command, command.find("clew ")?)));
            found.extend(start.filter(|(line, at)| is_command_position(&line[..*at])).map(|(line, at)| &line[at..]));
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

/// Returns the arguments of a command line up to the first shell operator, with values for variables and placeholders.
fn split_arguments(command_line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    // Every second part between double quotes is a single word.
    for (at, part) in command_line.trim_start_matches("clew ").split('"').enumerate() {
        let words = if at % 2 == 1 { vec![part] } else { part.split_whitespace().collect() };
        for word in words {
            if ["|", "||", ">", "&", "&&", "#", "2>&1"].contains(&word) {
                return arguments;
            }
            // Ellipses stand for further arguments.
            if word != "…" && word != ")" {
                arguments.push(example_value(word.trim_end_matches(')')).to_owned());
            }
            if word.ends_with(')') {
                return arguments;
            }
        }
    }
    arguments
}

/// Returns a valid value for a variable or a placeholder, and other words unchanged.
fn example_value(word: &str) -> &str {
    match word {
        "$DB" => "mysql://root@127.0.0.1/",
        "$INSTANCE" | "INSTANCE" => "0123456789abcdef0123456789abcdefin07",
        "$NODE" | "NODE" => "0123456789abcdef0123456789abcdefno07",
        "$BLOCKER" | "ID" => "7",
        word => word,
    }
}

#[test]
fn clew_accepts_the_command_lines_in_the_documents() {
    let mut checked = BTreeSet::new();
    let mut rejected = Vec::new();
    for document in DOCUMENTS {
        let markdown = std::fs::read_to_string(workspace_root().join(document)).unwrap();
        for line in find_command_lines(&markdown) {
            let arguments = split_arguments(&line);
            if arguments.first().is_some_and(|command| command == "help") {
                continue;
            }
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
