//! Checks that every test that SECURITY.md names for a guarantee exists.

use std::collections::BTreeSet;
use std::path::Path;

const SECURITY: &str = include_str!("../../../../SECURITY.md");
/// Minimum number of underscores in a test name, which distinguishes tests from settings and columns.
const MIN_UNDERSCORES: usize = 3;
/// Minimum number of named tests, so that this test notices if it no longer finds them.
const MIN_NAMED_TESTS: usize = 100;

/// Adds the names of all tests in the Rust files of a directory.
fn collect_tests(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            collect_tests(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let mut has_attribute = false;
            for line in source.lines().map(str::trim) {
                has_attribute |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                if let Some((_, rest)) = line.split_once("fn ").filter(|_| has_attribute) {
                    names.extend(rest.split('(').next().map(str::to_owned));
                    has_attribute = false;
                }
            }
        }
    }
}

fn is_test_name(code: &str) -> bool {
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let name = code.trim_matches('…');
    is_name(name) && (name.matches('_').count() >= MIN_UNDERSCORES || code.starts_with("…_"))
}

/// Returns whether a function has the name. `prefix_…` matches any name with the prefix.
/// `…_suffix` matches a name that starts like the `previous` name and ends with the suffix.
fn exists(name: &str, previous: &str, tests: &BTreeSet<String>) -> bool {
    if let Some(prefix) = name.strip_suffix('…') {
        return tests.iter().any(|function| function.starts_with(prefix));
    }
    if let Some(suffix) = name.strip_prefix('…') {
        let starts = previous.match_indices('_').map(|(at, _)| &previous[..at]);
        return starts.map(|start| format!("{start}{suffix}")).any(|full| tests.contains(&full));
    }
    tests.contains(name)
}

#[test]
fn every_test_named_in_the_security_document_exists() {
    let mut tests = BTreeSet::new();
    collect_tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates"), &mut tests);
    let named: Vec<&str> = SECURITY.split('`').skip(1).step_by(2).filter(|code| is_test_name(code)).collect();
    assert!(named.len() >= MIN_NAMED_TESTS, "{} named tests", named.len());
    let mut previous = "";
    let mut missing = Vec::new();
    for name in named {
        if !exists(name, previous, &tests) {
            missing.push(name);
        }
        if !name.contains('…') {
            previous = name;
        }
    }
    assert!(missing.is_empty(), "SECURITY.md names tests that do not exist: {missing:#?}");
}
