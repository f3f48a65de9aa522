//! Statement text in responses and in the audit log: the full text, the SQL template or a placeholder.

use clew_diagnose::{build_statement_template, to_valid_utf8};

/// Placeholder that masks a statement fragment in a filter.
///
/// An SQL template cannot mask a fragment. For example, the template of `4111x` is `4111x`.
pub(crate) const MASKED_FRAGMENT: &str = "***";

/// Returns a statement, or its SQL template if `masked` is true.
///
/// [`crate::caller::Caller::receives_sql_templates`] returns the value of `masked`.
pub(crate) fn render_visible_statement(statement: &[u8], masked: bool) -> String {
    if masked { to_valid_utf8(&build_statement_template(statement)) } else { to_valid_utf8(statement) }
}
