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
    least: u64,
    most: u64,
}

impl Counts {
    /// A count that must be exactly this.
    pub(super) fn see(&mut self, what: &str, found: u64, expected: u64) {
        self.0.push(Count { what: what.to_owned(), found, least: expected, most: expected });
    }

    /// A count that may be less.
    pub(super) fn see_at_most(&mut self, what: &str, found: u64, most: u64) {
        self.0.push(Count { what: what.to_owned(), found, least: 0, most });
    }

    /// Prints all. Fails where one is wrong, and names those.
    pub(super) fn tell(&self) -> Result<(), XtaskError> {
        for count in &self.0 {
            let told = if count.is_right() { String::new() } else { format!(", {}", count.wanted()) };
            say(&format!("{:>10}  {}{told}", count.found, count.what));
        }
        let wrong = self.0.iter().filter(|count| !count.is_right());
        let wrong: Vec<String> =
            wrong.map(|count| format!("{}: {}, {}", count.what, count.found, count.wanted())).collect();
        if wrong.is_empty() { Ok(()) } else { Err(XtaskError::Checks(wrong.join("; "))) }
    }
}

impl Count {
    fn is_right(&self) -> bool {
        (self.least..=self.most).contains(&self.found)
    }

    fn wanted(&self) -> String {
        let how = if self.least == self.most { "must be" } else { "must be at most" };
        format!("{how} {}", self.most)
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
        counts.see_at_most("allocations", 4, 5);
        counts.tell().unwrap();
        counts.see_at_most("allocations", 6, 5);
        counts.see("bytes", 5, 6);
        let error = counts.tell().unwrap_err().to_string();
        assert!(error.contains("bytes: 5, must be 6") && !error.contains("rows"), "{error}");
        assert!(error.contains("allocations: 6, must be at most 5") && !error.contains(": 4"), "{error}");
    }
}
