//! Patterns for SQL throttling rules, built from the words of a statement template (TaurusDB API spec, section 2.10).

use crate::template::collect_template_words;

const MAX_KEYWORDS_PER_PATTERN: usize = 128;
const MAX_PATTERN_BYTES: usize = 1000;

/// Omits template words that are missing from the statement, so that the pattern matches the statement.
/// A template word is missing, for example, if the statement uses a synonym of the keyword.
pub(super) fn build_throttling_pattern(template: &[u8], statement: &[u8]) -> Option<String> {
    let statement = statement.to_ascii_lowercase();
    let mut rest = statement.as_slice();
    let mut occurs_next = |word: &&str| {
        let word = word.to_ascii_lowercase();
        let Some(at) = memchr::memmem::find(rest, word.as_bytes()) else { return false };
        rest = rest.get(at + word.len()..).unwrap_or_default();
        true
    };
    let mut pattern = String::new();
    for word in collect_template_words(template)
        .iter()
        .flat_map(|word| split_at_invalid_chars(word))
        .filter(&mut occurs_next)
        .take(MAX_KEYWORDS_PER_PATTERN)
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

fn split_at_invalid_chars(word: &str) -> impl Iterator<Item = &str> {
    let parts = word.split(|char: char| matches!(char, '~' | '\\' | ',' | '，' | '`') || char.is_control());
    parts.map(str::trim).filter(|part| !part.is_empty())
}
