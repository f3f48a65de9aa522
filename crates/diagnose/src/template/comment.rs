//! Length of comments.

use super::sql_modes;

/// Classification of a possible comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comment {
    /// No comment.
    None,
    /// Comment or hint of this length.
    Plain(usize),
    /// `/*! … */` or `/*M! … */`, whose content some servers execute.
    /// The content starts after the mark and the version.
    Executable { start: usize, length: usize },
    /// The end of the comment, or its start, is ambiguous.
    Ambiguous,
}

/// Classifies the comment at the start of `rest`.
pub(super) fn classify(rest: &[u8]) -> Comment {
    match rest {
        [b'#', ..] | [b'-', b'-'] | [b'-', b'-', 0..=b' ' | 0x7f, ..] => line_comment(rest),
        // The byte may belong to a space of another character set.
        [b'-', b'-', 0x80..=0xff, ..] => Comment::Ambiguous,
        [b'/', b'*', b'!', ..] => executable_comment(rest, 3),
        [b'/', b'*', b'M', b'!', ..] => executable_comment(rest, 4),
        [b'/', b'*', b'+', ..] => match closing_length(rest) {
            Some(length) if !is_unambiguous(rest, length) => Comment::Ambiguous,
            end => Comment::Plain(end.unwrap_or(rest.len())),
        },
        [b'/', b'*', ..] => Comment::Plain(closing_length(rest).unwrap_or(rest.len())),
        _ => Comment::None,
    }
}

/// Comment to the end of the line. Servers also end it at a NUL and continue after that.
fn line_comment(rest: &[u8]) -> Comment {
    match memchr::memchr2(b'\n', 0, rest) {
        Some(end) if rest.get(end) == Some(&0) => Comment::Ambiguous,
        end => Comment::Plain(end.map_or(rest.len(), |end| end + 1)),
    }
}

fn executable_comment(rest: &[u8], mark: usize) -> Comment {
    let version = rest.iter().skip(mark).take_while(|byte| byte.is_ascii_digit()).count();
    // `/*!99999` marks a comment that no server executes.
    let is_executed = !rest.get(mark..).unwrap_or_default().starts_with(b"99");
    match closing_length(rest) {
        Some(length) if !is_unambiguous(rest, length) => Comment::Ambiguous,
        end if is_executed => Comment::Executable { start: mark + version, length: end.unwrap_or(rest.len()) },
        end => Comment::Plain(end.unwrap_or(rest.len())),
    }
}

/// Length up to and including the first `*/`.
fn closing_length(rest: &[u8]) -> Option<usize> {
    memchr::memmem::find(rest.get(2..)?, b"*/").map(|end| end + 4)
}

/// Whether the comment ends at this length both for servers that execute its content and for those that skip it.
fn is_unambiguous(rest: &[u8], length: usize) -> bool {
    sql_modes::all_end_in_code(rest, 2..length - 2)
}
