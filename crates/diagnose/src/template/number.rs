//! Numbers, and names that start with a digit.

use super::words;

/// What starts with a digit, or with a dot before one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// A number of this length.
    Literal(usize),
    /// A name, as in `SELECT * FROM 1t`.
    Word,
}

/// The number at the start of `rest`.
pub(super) fn at(rest: &[u8]) -> Number {
    // Also where digits of another kind follow: servers take that for a name, but it may be a number cut or broken.
    if matches!(rest, [b'0', b'x' | b'X' | b'b' | b'B', ..]) {
        return Number::Literal(words::length(rest));
    }
    let whole = digits(rest, 0);
    let (mantissa, is_real) = match rest.get(whole) {
        Some(b'.') => (digits(rest, whole + 1), true),
        _ => (whole, false),
    };
    if let Some(length) = exponent(rest, mantissa) {
        return Number::Literal(length);
    }
    if is_real || words::length(rest) == whole { Number::Literal(mantissa) } else { Number::Word }
}

/// Where digits from `at` on end.
fn digits(rest: &[u8], at: usize) -> usize {
    at + rest.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count()
}

/// Where the exponent at `at` ends, cut short as it may be; nothing if there is none.
fn exponent(rest: &[u8], at: usize) -> Option<usize> {
    let tail = rest.get(at..)?;
    let signs = match tail {
        [b'e' | b'E', b'+' | b'-'] | [b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..] => 1,
        [b'e' | b'E'] | [b'e' | b'E', b'0'..=b'9', ..] => 0,
        [b'e' | b'E', next, ..] if !words::is_word_byte(*next) => 0,
        _ => return None,
    };
    Some(digits(rest, at + 1 + signs))
}
