//! Reads policy documents and prints each error with the affected source line, as compilers do.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use clew_iam::policy::{Diagnostic, MAX_POLICY_DOCUMENT_BYTES, Policy, PolicyErrors};
use serde_json::json;

use crate::error::{CliError, ResultExt, refused};
use crate::output::{self, CommandOutputFormat};
use crate::text_table;

const MAX_SOURCE_EXCERPT_CHARS: usize = 100;

pub(super) struct PolicyDocument {
    pub(super) name: String,
    pub(super) text: String,
}

impl PolicyDocument {
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let is_stdin = path == Path::new("-");
        let name = if is_stdin { "stdin".to_owned() } else { path.display().to_string() };
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_POLICY_DOCUMENT_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let read = if is_stdin {
            io::stdin().lock().take(limit).read_to_end(&mut bytes)
        } else {
            File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
        };
        read.with_refusal_context(format_args!("could not read {name}"))?;
        if bytes.len() > MAX_POLICY_DOCUMENT_BYTES {
            return Err(refused!("{name} is not a valid policy: more than {MAX_POLICY_DOCUMENT_BYTES} bytes"));
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| refused!("{name} is not a valid policy: invalid UTF-8: {}", error.utf8_error()))?;
        Ok(Self { name, text })
    }

    pub(super) fn parse(&self) -> Result<Policy, PolicyErrors> {
        Policy::parse(&self.text)
    }

    pub(super) fn format_diagnostics(&self, kind: &str, diagnostics: &[Diagnostic]) -> String {
        diagnostics.iter().fold(String::new(), |mut text, diagnostic| {
            let Diagnostic { line, column, path, message } = diagnostic;
            let message = text_table::sanitize_terminal_line(message);
            let _ = writeln!(
                text,
                "{}:{line}:{column}: {kind}: {message} ({})",
                self.name,
                text_table::sanitize_terminal_line(path)
            );
            if let Some((excerpt, caret)) = self.format_source_excerpt(*line, *column) {
                let number = line.to_string();
                let _ = writeln!(text, "  {number} | {excerpt}\n  {:width$} | {caret}", "", width = number.len());
            }
            text
        })
    }

    /// The second line has a caret (`^`) below the column.
    fn format_source_excerpt(&self, line: usize, column: usize) -> Option<(String, String)> {
        let chars: Vec<char> = self.text.lines().nth(line.checked_sub(1)?)?.chars().collect();
        let index = column.checked_sub(1)?;
        let start =
            if chars.len() > MAX_SOURCE_EXCERPT_CHARS { index.saturating_sub(MAX_SOURCE_EXCERPT_CHARS / 2) } else { 0 };
        // Replace control characters with spaces, because a tab would shift the caret.
        let excerpt =
            chars.iter().skip(start).take(MAX_SOURCE_EXCERPT_CHARS).map(|c| if c.is_control() { ' ' } else { *c });
        Some((excerpt.collect(), format!("{}^", " ".repeat(index - start))))
    }
}

pub(super) fn validate_policy_file(path: &Path, format: CommandOutputFormat) -> Result<(), CliError> {
    let document = PolicyDocument::read(path)?;
    let (errors, policy) = match document.parse() {
        Ok(policy) => (Vec::new(), Some(policy)),
        Err(errors) => (errors.diagnostics().to_vec(), None),
    };
    let warnings = policy.as_ref().map_or(&[][..], |policy| policy.warnings());
    format.print(
        || {
            let verdict = match &policy {
                Some(policy) => format!(
                    "{}: valid policy, version {}, {}, {}\n",
                    document.name,
                    policy.version(),
                    format_count_with_noun(policy.statements().len(), "statement"),
                    format_count_with_noun(warnings.len(), "warning")
                ),
                None => {
                    format!("{}: invalid policy, {}\n", document.name, format_count_with_noun(errors.len(), "error"))
                }
            };
            document.format_diagnostics("error", &errors) + &document.format_diagnostics("warning", warnings) + &verdict
        },
        || json!({ "valid": policy.is_some(), "errors": errors, "warnings": warnings }),
    )?;
    if policy.is_some() { Ok(()) } else { Err(CliError::NegativeResult) }
}

pub(super) fn parse_policy_and_print_diagnostics(document: &PolicyDocument) -> Result<Policy, CliError> {
    match document.parse() {
        Ok(policy) => {
            output::write_stderr(&document.format_diagnostics("warning", policy.warnings()));
            Ok(policy)
        }
        Err(errors) => {
            output::write_stderr(&document.format_diagnostics("error", errors.diagnostics()));
            let errors = format_count_with_noun(errors.diagnostics().len(), "error");
            Err(refused!("{} is not a valid policy: {errors}; nothing was changed", document.name))
        }
    }
}

pub(super) fn format_count_with_noun(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, line: usize, column: usize) -> Option<(String, String)> {
        PolicyDocument { name: "x".into(), text: text.into() }.format_source_excerpt(line, column)
    }

    #[test]
    fn caret_points_at_the_column() {
        assert_eq!(excerpt("{\n\t\"a\": 1", 2, 2).unwrap(), (" \"a\": 1".to_owned(), " ^".to_owned()));
        let (text, caret) = excerpt(&format!("{}X{}", "a".repeat(500), "b".repeat(500)), 1, 501).unwrap();
        assert_eq!(
            (text.chars().count(), text.find('X'), caret.find('^')),
            (MAX_SOURCE_EXCERPT_CHARS, Some(50), Some(50))
        );
        assert_eq!(excerpt("{", 1, 2).unwrap(), ("{".to_owned(), " ^".to_owned()), "the column after the end is valid");
        assert_eq!(excerpt("{", 7, 1), None);
    }
}
