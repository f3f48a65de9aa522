//! Distinguishes number literals from names that start with a digit.

use super::keywords;

/// Returns the length of a number literal in bytes, or `None` for a name such as `1t` in `SELECT * FROM 1t`.
pub(super) fn number_literal_length(rest: &[u8]) -> Option<usize> {
    // A server can parse a word such as `0xyz` as a name, but the word may also be a malformed or truncated number.
    if matches!(rest, [b'0', b'x' | b'X' | b'b' | b'B', ..]) {
        return Some(keywords::leading_word_length(rest));
    }
    let integer_end = find_digits_end(rest, 0);
    let (mantissa, is_real) = match rest.get(integer_end) {
        Some(b'.') => (find_digits_end(rest, integer_end + 1), true),
        _ => (integer_end, false),
    };
    let is_number = is_real || keywords::leading_word_length(rest) == integer_end;
    find_exponent_end(rest, mantissa).or(is_number.then_some(mantissa))
}

fn find_digits_end(rest: &[u8], at: usize) -> usize {
    at + rest.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count()
}

/// A truncated statement can end with an incomplete exponent.
fn find_exponent_end(rest: &[u8], at: usize) -> Option<usize> {
    let tail = rest.get(at..)?;
    let signs = match tail {
        [b'e' | b'E', b'+' | b'-'] | [b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..] => 1,
        [b'e' | b'E'] | [b'e' | b'E', b'0'..=b'9', ..] => 0,
        [b'e' | b'E', next, ..] if !keywords::is_word_byte(*next) => 0,
        _ => return None,
    };
    Some(find_digits_end(rest, at + 1 + signs))
}
