//! What is wrong with a document, and where.

use std::fmt;

use serde::Serialize;

/// Something wrong with a document, or something worth a second look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// Where in the document: `$.Statement[0].Action[1]`.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Finding {
    /// One at a byte of a text.
    pub(super) fn new(text: &str, at: usize, path: &Path, message: impl Into<String>) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            path: path.0.clone(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.line, self.column, self.path, self.message)
    }
}

/// A document that is no policy: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("this is no policy: {}", .0.iter().map(Finding::to_string).collect::<Vec<_>>().join("; "))]
pub struct PolicyErrors(pub(super) Vec<Finding>);

impl PolicyErrors {
    /// Every error, in the order of the text. Never empty.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }
}

/// A place in a JSON document, as JSONPath writes it.
#[derive(Debug, Clone)]
pub(super) struct Path(String);

impl Path {
    pub(super) fn root() -> Self {
        Self("$".to_owned())
    }

    pub(super) fn key(&self, name: &str) -> Self {
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        Self(if plain { format!("{}.{name}", self.0) } else { format!("{}[{name:?}]", self.0) })
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}
