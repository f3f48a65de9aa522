//! JSON parser that returns the position of every value in the text.

use jsonc_parser::ast::Value;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::diagnostic::{Diagnostic, JsonPath};

/// Maximum length of a version 5.0 policy document, in bytes. The limit for versions 1.0 and 1.1 is lower.
pub const MAX_POLICY_DOCUMENT_BYTES: usize = 65_536;

const STRICT_JSON_OPTIONS: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub(super) fn parse(text: &str) -> Result<Value<'_>, Diagnostic> {
    let error_at = |at, message: String| Diagnostic::new(text, at, &JsonPath::document_root(), message);
    if text.len() > MAX_POLICY_DOCUMENT_BYTES {
        return Err(error_at(
            0,
            format!("the document has {} bytes; the maximum is {MAX_POLICY_DOCUMENT_BYTES}", text.len()),
        ));
    }
    // Even in its strictest mode, jsonc-parser accepts control characters in strings and Unicode white space.
    // `serde_json` accepts only valid JSON, with at most 128 levels of nesting.
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        return Err(error_at(
            line_and_column_to_offset(text, error.line(), error.column()),
            format!("invalid JSON: {message}"),
        ));
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT_JSON_OPTIONS)
        .map_err(|error| error_at(error.range().start, format!("invalid JSON: {}", error.kind())))?;
    parsed.value.ok_or_else(|| error_at(0, "the document is empty".to_owned()))
}

/// Line and column numbers start at 1, and the column counts bytes, as in `serde_json` errors.
fn line_and_column_to_offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let at = (before + column.saturating_sub(1)).min(text.len());
    text.floor_char_boundary(at)
}
