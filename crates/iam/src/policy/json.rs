//! JSON with the place of every value.

use jsonc_parser::ast::Value;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::finding::{Finding, Path};

/// Longest document that is read, in bytes. Clew's own limit; versions 1.0 and 1.1 have a smaller one of theirs.
pub const MAX_BYTES: usize = 65_536;

const STRICT: ParseOptions = ParseOptions {
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

/// Reads a document.
pub(super) fn read(text: &str) -> Result<Value<'_>, Finding> {
    let wrong = |at, message: String| Finding::new(text, at, &Path::root(), message);
    if text.len() > MAX_BYTES {
        return Err(wrong(0, format!("the document is {} bytes long; {MAX_BYTES} are read at most", text.len())));
    }
    // The parser that knows places takes more than JSON even at its strictest: raw control characters in strings, Unicode's
    // blanks. serde_json takes JSON and nothing else, and no more than 128 levels of it.
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        return Err(wrong(offset(text, error.line(), error.column()), format!("this is no JSON: {message}")));
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT)
        .map_err(|error| wrong(error.range().start, format!("this is no JSON: {}", error.kind())))?;
    parsed.value.ok_or_else(|| wrong(0, "the document is empty".to_owned()))
}

/// Where a line and a column in bytes, both from 1, are in the text.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let at = (before + column.saturating_sub(1)).min(text.len());
    text.floor_char_boundary(at)
}
