//! Where strings and quoted names end.

use super::readings;

/// The end of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoted {
    /// Behind its closing quote, or where all readings meet again.
    Ends(usize),
    /// It does not end, in any reading.
    Unclosed,
    /// It may have ended, and what follows may be another.
    Unreadable,
}

/// Where the string ends whose opening quote stands at `start`.
///
/// A doubled quote is a character of it. Whether a backslash makes the next quote one depends on `NO_BACKSLASH_ESCAPES`.
pub(super) fn text(bytes: &[u8], start: usize) -> Quoted {
    let Some(&quote) = bytes.get(start) else { return Quoted::Unclosed };
    let mut at = start + 1;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(found) = memchr::memchr2(quote, b'\\', rest) else { return Quoted::Unclosed };
        at += found;
        if bytes.get(at) == Some(&quote) {
            if bytes.get(at + 1) != Some(&quote) {
                return Quoted::Ends(at + 1);
            }
            at += 2;
            continue;
        }
        let backslashes = bytes.iter().skip(at).take_while(|&&byte| byte == b'\\').count();
        let before_quote = bytes.get(at + backslashes) == Some(&quote);
        if before_quote && !readings::ends_whole(bytes.get(..at).unwrap_or_default()) {
            return Quoted::Unreadable;
        }
        if before_quote && backslashes % 2 == 1 {
            return readings::meet(bytes, start).map_or(Quoted::Unreadable, Quoted::Ends);
        }
        at += backslashes;
    }
}

/// The length of a name in backticks, with them; nothing if it does not end.
pub(super) fn name(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr(b'`', rest.get(at..)?)?;
        if rest.get(at + 1) != Some(&b'`') {
            return Some(at + 1);
        }
        at += 2;
    }
}
