//! Policy documents as files, and what is wrong with them, as a compiler would say it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use clew_iam::policy::{Finding, MAX_BYTES, Policy, PolicyErrors};
use serde_json::json;

use crate::error::CliError;
use crate::listing;
use crate::output::{self, Format};

/// Characters of a line that are shown around a finding.
const SHOWN: usize = 100;

/// A document, and its name in messages.
pub(super) struct Document {
    pub(super) name: String,
    pub(super) text: String,
}

impl Document {
    /// Reads a file, or stdin for `-`.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let is_stdin = path == Path::new("-");
        let name = if is_stdin { "stdin".to_owned() } else { path.display().to_string() };
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let read = if is_stdin {
            io::stdin().lock().take(limit).read_to_end(&mut bytes)
        } else {
            File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
        };
        read.map_err(|error| CliError::refused(format!("could not read {name}: {error}")))?;
        if bytes.len() > MAX_BYTES {
            return Err(CliError::refused(format!("{name} is no policy: it has more than {MAX_BYTES} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            CliError::refused(format!("{name} is no policy: it is not UTF-8: {}", error.utf8_error()))
        })?;
        Ok(Self { name, text })
    }

    pub(super) fn parse(&self) -> Result<Policy, PolicyErrors> {
        Policy::parse(&self.text)
    }

    /// Findings with their lines, and a mark below.
    pub(super) fn describe(&self, kind: &str, findings: &[Finding]) -> String {
        findings.iter().fold(String::new(), |mut text, finding| {
            let Finding { line, column, path, message } = finding;
            let message = listing::one_line(message);
            let _ = writeln!(text, "{}:{line}:{column}: {kind}: {message} ({})", self.name, listing::one_line(path));
            if let Some((shown, mark)) = self.line(*line, *column) {
                let number = line.to_string();
                let _ = writeln!(text, "  {number} | {shown}\n  {:width$} | {mark}", "", width = number.len());
            }
            text
        })
    }

    /// The part of a line around a column, and a caret below the column.
    fn line(&self, line: usize, column: usize) -> Option<(String, String)> {
        let whole: Vec<char> = self.text.lines().nth(line.checked_sub(1)?)?.chars().collect();
        let at = column.checked_sub(1)?;
        let from = if whole.len() > SHOWN { at.saturating_sub(SHOWN / 2) } else { 0 };
        // A tab is as wide as it likes; with a blank in its place the caret stands where it should.
        let shown = whole.iter().skip(from).take(SHOWN).map(|c| if c.is_control() { ' ' } else { *c });
        Some((shown.collect(), format!("{}^", " ".repeat(at - from))))
    }
}

/// `clew policy validate`
pub(super) fn validate(path: &Path, format: Format) -> Result<(), CliError> {
    let document = Document::read(path)?;
    let (errors, policy) = match document.parse() {
        Ok(policy) => (Vec::new(), Some(policy)),
        Err(errors) => (errors.findings().to_vec(), None),
    };
    let warnings = policy.as_ref().map_or(&[][..], |policy| policy.warnings());
    format.say(
        || {
            let verdict = match &policy {
                Some(policy) => format!(
                    "{}: a policy of version {}, {}, {}\n",
                    document.name,
                    policy.version(),
                    count(policy.statements().len(), "statement"),
                    count(warnings.len(), "warning")
                ),
                None => format!("{}: no policy, {}\n", document.name, count(errors.len(), "error")),
            };
            document.describe("error", &errors) + &document.describe("warning", warnings) + &verdict
        },
        || json!({ "valid": policy.is_some(), "errors": errors, "warnings": warnings }),
    )?;
    if policy.is_some() { Ok(()) } else { Err(CliError::AnsweredNo) }
}

/// The policy of a document. Says what is wrong with it on stderr, and what is worth a second look.
pub(super) fn need_policy(document: &Document) -> Result<Policy, CliError> {
    match document.parse() {
        Ok(policy) => {
            output::to_stderr(&document.describe("warning", policy.warnings()));
            Ok(policy)
        }
        Err(errors) => {
            output::to_stderr(&document.describe("error", errors.findings()));
            let errors = count(errors.findings().len(), "error");
            Err(CliError::refused(format!("{} is no policy: {errors}; nothing was changed", document.name)))
        }
    }
}

/// So many of something.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, line: usize, column: usize) -> Option<(String, String)> {
        Document { name: "x".into(), text: text.into() }.line(line, column)
    }

    #[test]
    fn the_caret_stands_below_its_column() {
        assert_eq!(marked("{\n\t\"a\": 1", 2, 2).unwrap(), (" \"a\": 1".to_owned(), " ^".to_owned()));
        let (shown, mark) = marked(&format!("{}X{}", "a".repeat(500), "b".repeat(500)), 1, 501).unwrap();
        assert_eq!((shown.chars().count(), shown.find('X'), mark.find('^')), (SHOWN, Some(50), Some(50)));
        assert_eq!(marked("{", 1, 2).unwrap(), ("{".to_owned(), " ^".to_owned()), "the end of the text has a place");
        assert_eq!(marked("{", 7, 1), None);
    }
}
