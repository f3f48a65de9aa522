//! Counts that must be right, whatever the clock says.

use std::path::Path;

use crate::error::XtaskError;
use crate::steps::say;

/// How often a text stands in a file.
pub(super) fn occurrences(file: &Path, text: &str) -> Result<u64, XtaskError> {
    let read = std::fs::read(file);
    let bytes = read.map_err(|cause| XtaskError::File { doing: "read", path: file.to_owned(), cause })?;
    Ok(matches(&bytes, text))
}

/// Fails where a count is wrong.
pub(super) fn must_be(command: &str, found: u64, expected: u64) -> Result<(), XtaskError> {
    if found == expected { Ok(()) } else { Err(XtaskError::Count { command: command.to_owned(), found, expected }) }
}

/// How often a text stands in bytes.
pub(super) fn matches(bytes: &[u8], text: &str) -> u64 {
    String::from_utf8_lossy(bytes).matches(text).count() as u64
}

/// Counts with what they must be.
#[derive(Debug, Default)]
pub(super) struct Counts(Vec<Count>);

#[derive(Debug)]
struct Count {
    what: String,
    found: u64,
    expected: u64,
}

impl Counts {
    pub(super) fn see(&mut self, what: &str, found: u64, expected: u64) {
        self.0.push(Count { what: what.to_owned(), found, expected });
    }

    /// Prints all. Fails where one is wrong, and names those.
    pub(super) fn tell(&self) -> Result<(), XtaskError> {
        for Count { what, found, expected } in &self.0 {
            let told = if found == expected { String::new() } else { format!(", must be {expected}") };
            say(&format!("{found:>10}  {what}{told}"));
        }
        let wrong = self.0.iter().filter(|count| count.found != count.expected);
        let wrong: Vec<String> =
            wrong.map(|Count { what, found, expected }| format!("{what}: {found}, must be {expected}")).collect();
        if wrong.is_empty() { Ok(()) } else { Err(XtaskError::Checks(wrong.join("; "))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_count_is_named_and_fails() {
        let mut counts = Counts::default();
        counts.see("rows", 5, 5);
        counts.tell().unwrap();
        counts.see("bytes", 5, 6);
        let error = counts.tell().unwrap_err().to_string();
        assert!(error.contains("bytes: 5, must be 6") && !error.contains("rows"), "{error}");
    }
}
