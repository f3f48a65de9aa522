//! Statement text in responses and in the audit: whole, as an SQL template, or hidden.

use clew_diagnose::{clean, template};

/// Stands for a part of a statement that a caller sent as a criterion. The part is a literal of its sender, and a template cannot hide it:
/// the template of `4111x` is `4111x`.
pub(crate) const HIDDEN: &str = "***";

/// A statement as a caller may see it: `masked` is the result of [`crate::caller::Caller::sees_templates`].
pub(crate) fn statement_text(statement: &[u8], masked: bool) -> String {
    if masked { clean(&template(statement)) } else { clean(statement) }
}
