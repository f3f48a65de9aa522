//! Keywords of a template for SQL throttling rules (spec section 2.10).

use crate::template::words_and_names;

/// Maximum number of keywords in a pattern.
const MAX_KEYWORDS: usize = 128;
/// Maximum length of a pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 1000;

/// Joins the template's words and names in their order with `~`.
///
/// Words that the template has in place of a synonym in the statement are skipped.
/// A pattern matches by prefix, so words beyond the limits are omitted.
pub(super) fn build_pattern(template: &[u8], statement: &[u8]) -> Option<String> {
    let statement = statement.to_ascii_lowercase();
    let mut rest = statement.as_slice();
    let mut occurs_next = |word: &&str| {
        let word = word.to_ascii_lowercase();
        let Some(at) = memchr::memmem::find(rest, word.as_bytes()) else { return false };
        rest = rest.get(at + word.len()..).unwrap_or_default();
        true
    };
    let mut pattern = String::new();
    for word in
        words_and_names(template).iter().flat_map(|word| split_name(word)).filter(&mut occurs_next).take(MAX_KEYWORDS)
    {
        let separator_length = usize::from(!pattern.is_empty());
        if pattern.len() + separator_length + word.len() > MAX_PATTERN_BYTES {
            break;
        }
        if separator_length > 0 {
            pattern.push('~');
        }
        pattern.push_str(word);
    }
    (!pattern.is_empty()).then_some(pattern)
}

/// Splits a quoted name at the characters that are invalid in a pattern.
fn split_name(word: &str) -> impl Iterator<Item = &str> {
    let parts = word.split(|char: char| matches!(char, '~' | '\\' | ',' | '，' | '`') || char.is_control());
    parts.map(str::trim).filter(|part| !part.is_empty())
}
