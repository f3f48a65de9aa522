//! Renders statement text for responses and the audit log: the full text, the SQL template or a placeholder.

use clew_diagnose::{build_statement_template, bytes_to_text};

/// Placeholder for the statement substring of a filter, shown if statements are masked.
///
/// A statement substring may start or end inside a literal, and an SQL template does not mask a partial literal.
/// For example, the SQL template of the partial literal `4111x` is the unmasked text `4111x`.
pub(crate) const MASKED_SUBSTRING_PLACEHOLDER: &str = "***";

/// `masked` must be the result of [`crate::caller::Caller::requires_statement_masking`].
pub(crate) fn render_statement(statement: &[u8], masked: bool) -> String {
    if masked { bytes_to_text(&build_statement_template(statement)) } else { bytes_to_text(statement) }
}
