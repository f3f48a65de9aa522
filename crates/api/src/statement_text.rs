//! Statement text in responses and in the audit: full text, SQL template or placeholder.

use clew_diagnose::{clean, template};

/// Placeholder for a statement fragment in a filter. A template cannot mask a fragment: the template of `4111x` is `4111x`.
pub(crate) const HIDDEN: &str = "***";

/// Returns a statement, or its SQL template if `masked`: the result of [`crate::caller::Caller::sees_templates`].
pub(crate) fn statement_text(statement: &[u8], masked: bool) -> String {
    if masked { clean(&template(statement)) } else { clean(statement) }
}
