//! Keywords of a template, as a throttling rule takes them (spec section 2.10).

use crate::template::words_of;

/// Most keywords of a pattern.
const MOST: usize = 128;
/// Longest pattern, in bytes.
const LONGEST: usize = 1000;

/// The template's words and names in their order, but for those that it has in place of a synonym in the statement. A pattern hits
/// whatever begins like it, so what is beyond the limits is left out.
pub(super) fn of(template: &[u8], statement: &[u8]) -> Option<String> {
    let statement = statement.to_ascii_lowercase();
    let mut rest = statement.as_slice();
    let mut is_there = |word: &&str| {
        let word = word.to_ascii_lowercase();
        let Some(at) = memchr::memmem::find(rest, word.as_bytes()) else { return false };
        rest = rest.get(at + word.len()..).unwrap_or_default();
        true
    };
    let mut pattern = String::new();
    for word in words_of(template).iter().flat_map(|word| parts(word)).filter(&mut is_there).take(MOST) {
        let joint = usize::from(!pattern.is_empty());
        if pattern.len() + joint + word.len() > LONGEST {
            break;
        }
        if joint > 0 {
            pattern.push('~');
        }
        pattern.push_str(word);
    }
    (!pattern.is_empty()).then_some(pattern)
}

/// A quoted name may hold what a pattern may not: then its parts are keywords.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    let parts = word.split(|char: char| matches!(char, '~' | '\\' | ',' | '，' | '`') || char.is_control());
    parts.map(str::trim).filter(|part| !part.is_empty())
}
