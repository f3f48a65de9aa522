//! Where comments end.

use super::readings;

/// What stands where a comment may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comment {
    /// None.
    None,
    /// A comment or a hint of this length.
    Plain(usize),
    /// `/*! … */` or `/*M! … */`: some servers run what it holds. That starts behind the mark and the version.
    Executable { start: usize, length: usize },
    /// It is not sure where it ends, or whether it is one.
    Unreadable,
}

/// The comment at the start of `rest`, if there is one.
pub(super) fn at(rest: &[u8]) -> Comment {
    match rest {
        [b'#', ..] | [b'-', b'-'] | [b'-', b'-', 0..=b' ' | 0x7f, ..] => line(rest),
        // A space of another character set, maybe.
        [b'-', b'-', 0x80..=0xff, ..] => Comment::Unreadable,
        [b'/', b'*', b'!', ..] => executable(rest, 3),
        [b'/', b'*', b'M', b'!', ..] => executable(rest, 4),
        [b'/', b'*', b'+', ..] => match closing(rest) {
            Some(length) if !is_settled(rest, length) => Comment::Unreadable,
            end => Comment::Plain(end.unwrap_or(rest.len())),
        },
        [b'/', b'*', ..] => Comment::Plain(closing(rest).unwrap_or(rest.len())),
        _ => Comment::None,
    }
}

/// To the end of its line. Servers end it at a NUL too, and go on behind that.
fn line(rest: &[u8]) -> Comment {
    match memchr::memchr2(b'\n', 0, rest) {
        Some(end) if rest.get(end) == Some(&0) => Comment::Unreadable,
        end => Comment::Plain(end.map_or(rest.len(), |end| end + 1)),
    }
}

fn executable(rest: &[u8], mark: usize) -> Comment {
    let version = rest.iter().skip(mark).take_while(|byte| byte.is_ascii_digit()).count();
    // `/*!99999` is how comments are written that no server runs.
    let runs = !rest.get(mark..).unwrap_or_default().starts_with(b"99");
    match closing(rest) {
        Some(length) if !is_settled(rest, length) => Comment::Unreadable,
        end if runs => Comment::Executable { start: mark + version, length: end.unwrap_or(rest.len()) },
        end => Comment::Plain(end.unwrap_or(rest.len())),
    }
}

/// The length up to the first `*/`.
fn closing(rest: &[u8]) -> Option<usize> {
    memchr::memmem::find(rest.get(2..)?, b"*/").map(|end| end + 4)
}

/// Whether a comment of this length ends there for a server that reads what it holds as well as for one that skips it.
fn is_settled(rest: &[u8], length: usize) -> bool {
    readings::end_in_code(rest, 2..length - 2)
}
