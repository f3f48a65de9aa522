//! Renders statement text for responses and the audit log: the full text, the SQL template or a placeholder.

use clew_diagnose::{build_statement_template, bytes_to_text};

/// A statement substring can contain part of a literal, which an SQL template would not mask.
/// For example, the SQL template of the substring `4111x`, which may be part of a literal, is also `4111x`.
pub(crate) const MASKED_SUBSTRING_PLACEHOLDER: &str = "***";

/// `masked` must be the result of [`crate::caller::Caller::requires_statement_masking`].
pub(crate) fn render_statement(statement: &[u8], masked: bool) -> String {
    if masked { bytes_to_text(&build_statement_template(statement)) } else { bytes_to_text(statement) }
}
