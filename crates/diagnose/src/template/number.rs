//! Numbers, and names that start with a digit.

use super::keywords;

/// Classification of a token that starts with a digit, or with a dot before a digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberToken {
    /// Number of this length.
    Literal(usize),
    /// Name, as in `SELECT * FROM 1t`.
    Word,
}

/// Classifies the token at the start of `rest`.
pub(super) fn classify(rest: &[u8]) -> NumberToken {
    // Also if other characters follow: servers read that as a name, but it may be a truncated or malformed number.
    if matches!(rest, [b'0', b'x' | b'X' | b'b' | b'B', ..]) {
        return NumberToken::Literal(keywords::word_length(rest));
    }
    let whole = digits_end(rest, 0);
    let (mantissa, is_real) = match rest.get(whole) {
        Some(b'.') => (digits_end(rest, whole + 1), true),
        _ => (whole, false),
    };
    if let Some(length) = exponent_end(rest, mantissa) {
        return NumberToken::Literal(length);
    }
    if is_real || keywords::word_length(rest) == whole { NumberToken::Literal(mantissa) } else { NumberToken::Word }
}

/// End offset of the digits from `at` on.
fn digits_end(rest: &[u8], at: usize) -> usize {
    at + rest.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count()
}

/// End offset of the exponent at `at`, which may be truncated; `None` if there is no exponent.
fn exponent_end(rest: &[u8], at: usize) -> Option<usize> {
    let tail = rest.get(at..)?;
    let signs = match tail {
        [b'e' | b'E', b'+' | b'-'] | [b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..] => 1,
        [b'e' | b'E'] | [b'e' | b'E', b'0'..=b'9', ..] => 0,
        [b'e' | b'E', next, ..] if !keywords::is_word_byte(*next) => 0,
        _ => return None,
    };
    Some(digits_end(rest, at + 1 + signs))
}
