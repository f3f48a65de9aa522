//! Errors and warnings about policy documents, with line and column numbers.

use std::fmt;

use serde::Serialize;

/// Error or warning about a policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Line number of the problem, counted from 1.
    pub line: usize,
    /// Position of the problem within the line, in characters, starting at 1.
    pub column: usize,
    /// JSONPath of the invalid value, such as `$.Statement[0].Action[1]`.
    pub path: String,
    /// Description of the problem and its fix.
    pub message: String,
}

impl Diagnostic {
    pub(super) fn new(text: &str, at: usize, path: &JsonPath, message: impl Into<String>) -> Self {
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

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.line, self.column, self.path, self.message)
    }
}

/// All errors found in an invalid policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("invalid policy: {}", .0.iter().map(Diagnostic::to_string).collect::<Vec<_>>().join("; "))]
pub struct PolicyErrors(pub(super) Vec<Diagnostic>);

impl PolicyErrors {
    /// Returns the errors, sorted by position in the policy document. The slice is never empty.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.0
    }
}

#[derive(Debug, Clone)]
pub(super) struct JsonPath(String);

impl JsonPath {
    pub(super) fn document_root() -> Self {
        Self("$".to_owned())
    }

    pub(super) fn with_member_name(&self, name: &str) -> Self {
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        Self(if plain { format!("{}.{name}", self.0) } else { format!("{}[{name:?}]", self.0) })
    }

    pub(super) fn with_array_index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}
