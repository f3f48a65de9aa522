//! Classification of number literals and names that start with a digit.

use super::keywords;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberToken {
    /// Number literal. The `usize` is the length of the literal in bytes.
    Literal(usize),
    /// Name, as in `SELECT * FROM 1t`.
    Word,
}

pub(super) fn classify_number(rest: &[u8]) -> NumberToken {
    // A server can parse a word such as `0xyz` as a name, but the word may also be a malformed or truncated number.
    if matches!(rest, [b'0', b'x' | b'X' | b'b' | b'B', ..]) {
        return NumberToken::Literal(keywords::leading_word_length(rest));
    }
    let integer_end = find_digits_end(rest, 0);
    let (mantissa, is_real) = match rest.get(integer_end) {
        Some(b'.') => (find_digits_end(rest, integer_end + 1), true),
        _ => (integer_end, false),
    };
    if let Some(length) = find_exponent_end(rest, mantissa) {
        return NumberToken::Literal(length);
    }
    if is_real || keywords::leading_word_length(rest) == integer_end {
        NumberToken::Literal(mantissa)
    } else {
        NumberToken::Word
    }
}

fn find_digits_end(rest: &[u8], at: usize) -> usize {
    at + rest.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count()
}

/// Returns the end offset of an exponent, which may be incomplete at the end of a truncated statement.
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
