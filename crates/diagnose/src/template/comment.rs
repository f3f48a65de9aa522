//! Classification of SQL comments.

use super::sql_modes;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommentKind {
    NotAComment,
    /// Plain comment or optimizer hint. The value is the length of the comment in bytes.
    Plain(usize),
    /// Executable comment (`/*! … */` or `/*M! … */`), whose content some servers execute.
    /// `start` is the offset of the comment's content, after the marker (`/*!` or `/*M!`) and the version number.
    Executable {
        start: usize,
        length: usize,
    },
    /// The start or end of the comment depends on the SQL mode, the character set or the server software.
    Ambiguous,
}

pub(super) fn classify_comment(rest: &[u8]) -> CommentKind {
    match rest {
        [b'#', ..] | [b'-', b'-'] | [b'-', b'-', 0..=b' ' | 0x7f, ..] => classify_line_comment(rest),
        // In some character sets, a byte from 0x80 to 0xff can be part of a white-space character.
        [b'-', b'-', 0x80..=0xff, ..] => CommentKind::Ambiguous,
        [b'/', b'*', b'!', ..] => classify_executable_comment(rest, 3),
        [b'/', b'*', b'M', b'!', ..] => classify_executable_comment(rest, 4),
        [b'/', b'*', b'+', ..] => match block_comment_length(rest) {
            Some(length) if !has_unambiguous_comment_end(rest, length) => CommentKind::Ambiguous,
            end => CommentKind::Plain(end.unwrap_or(rest.len())),
        },
        [b'/', b'*', ..] => CommentKind::Plain(block_comment_length(rest).unwrap_or(rest.len())),
        _ => CommentKind::NotAComment,
    }
}

fn classify_line_comment(rest: &[u8]) -> CommentKind {
    match memchr::memchr2(b'\n', 0, rest) {
        Some(end) if rest.get(end) == Some(&0) => CommentKind::Ambiguous,
        end => CommentKind::Plain(end.map_or(rest.len(), |end| end + 1)),
    }
}

fn classify_executable_comment(rest: &[u8], mark: usize) -> CommentKind {
    let version = rest.iter().skip(mark).take_while(|byte| byte.is_ascii_digit()).count();
    // A version number that starts with 99, as in `/*!99999`, marks a comment that no server executes.
    let is_executed = !rest.get(mark..).unwrap_or_default().starts_with(b"99");
    match block_comment_length(rest) {
        Some(length) if !has_unambiguous_comment_end(rest, length) => CommentKind::Ambiguous,
        end if is_executed => CommentKind::Executable { start: mark + version, length: end.unwrap_or(rest.len()) },
        end => CommentKind::Plain(end.unwrap_or(rest.len())),
    }
}

fn block_comment_length(rest: &[u8]) -> Option<usize> {
    memchr::memmem::find(rest.get(2..)?, b"*/").map(|end| end + 4)
}

fn has_unambiguous_comment_end(rest: &[u8], length: usize) -> bool {
    sql_modes::range_ends_outside_strings_and_comments(rest, 2..length - 2)
}
