//! Finds the ends of string literals and quoted names.

use super::sql_modes;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StringLiteralEnd {
    /// Offset at which the string literal has ended, regardless of the SQL mode.
    At(usize),
    /// The string literal has no closing quote, regardless of the SQL mode.
    Unclosed,
    Ambiguous,
}

/// A doubled quote, as in `'it''s'`, does not end the string.
/// A backslash escapes the next quote unless the SQL mode includes `NO_BACKSLASH_ESCAPES`.
pub(super) fn find_string_end(bytes: &[u8], start: usize) -> StringLiteralEnd {
    let Some(&quote) = bytes.get(start) else { return StringLiteralEnd::Unclosed };
    let mut at = start + 1;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(found) = memchr::memchr2(quote, b'\\', rest) else { return StringLiteralEnd::Unclosed };
        at += found;
        if bytes.get(at) == Some(&quote) {
            if bytes.get(at + 1) != Some(&quote) {
                return StringLiteralEnd::At(at + 1);
            }
            at += 2;
            continue;
        }
        let backslashes = bytes.iter().skip(at).take_while(|&&byte| byte == b'\\').count();
        let before_quote = bytes.get(at + backslashes) == Some(&quote);
        if before_quote && !sql_modes::ends_on_char_boundary(bytes.get(..at).unwrap_or_default()) {
            return StringLiteralEnd::Ambiguous;
        }
        if before_quote && backslashes % 2 == 1 {
            return sql_modes::find_string_end_in_all_sql_modes(bytes, start)
                .map_or(StringLiteralEnd::Ambiguous, StringLiteralEnd::At);
        }
        at += backslashes;
    }
}

pub(super) fn quoted_name_length(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr(b'`', rest.get(at..)?)?;
        if rest.get(at + 1) != Some(&b'`') {
            return Some(at + 1);
        }
        at += 2;
    }
}
