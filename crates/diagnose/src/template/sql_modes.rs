//! Scans a statement under several SQL modes in parallel.
//!
//! With `NO_BACKSLASH_ESCAPES`, `'a\', b, 'c'` contains the strings `'a\'` and `'c'`.
//! Without `NO_BACKSLASH_ESCAPES`, `\'` does not end a string, so the first string in `'a\', b, 'c'` is `'a\', b, '`.
//! The process list does not show a session's SQL mode, so the lexer must support all SQL modes.
//! If a backslash precedes a quote, the lexer runs one scanner per SQL mode until all scanners are outside strings.

use std::ops::Range;

#[derive(Debug, Clone, Copy)]
struct BackslashEscapeRules {
    single: bool,
    double: bool,
}

/// Backslash escape rules for the default SQL mode, `NO_BACKSLASH_ESCAPES` and `ANSI_QUOTES`, in this order.
const ESCAPE_RULES_BY_SQL_MODE: [BackslashEscapeRules; 3] = [
    BackslashEscapeRules { single: true, double: true },
    BackslashEscapeRules { single: false, double: false },
    BackslashEscapeRules { single: true, double: false },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScanState {
    Code,
    String(u8),
    Name,
    Line,
    Block,
}

#[derive(Debug, Clone, Copy)]
struct SqlModeScanner {
    rules: BackslashEscapeRules,
    state: ScanState,
    skips_next: bool,
}

struct AmbiguousTextError;

impl SqlModeScanner {
    fn new(rules: BackslashEscapeRules) -> Self {
        Self { rules, state: ScanState::Code, skips_next: false }
    }

    fn is_outside_quotes_and_comments(self) -> bool {
        self.state == ScanState::Code && !self.skips_next
    }

    fn consume_byte(&mut self, rest: &[u8]) -> Result<(), AmbiguousTextError> {
        if self.skips_next {
            self.skips_next = false;
            return Ok(());
        }
        match (self.state, rest) {
            (ScanState::Code, _) => self.consume_unquoted_byte(rest)?,
            (ScanState::String(b'\''), [b'\\', ..]) => self.skips_next = self.rules.single,
            (ScanState::String(_), [b'\\', ..]) => self.skips_next = self.rules.double,
            (ScanState::String(quote), [byte, next, ..]) if *byte == quote && *next == quote => self.skips_next = true,
            (ScanState::String(quote), [byte, ..]) if *byte == quote => self.state = ScanState::Code,
            (ScanState::Name, [b'`', b'`', ..]) => self.skips_next = true,
            (ScanState::Name, [b'`', ..]) | (ScanState::Line, [b'\n', ..]) => self.state = ScanState::Code,
            (ScanState::Line, [0, ..]) => return Err(AmbiguousTextError),
            (ScanState::Block, [b'*', b'/', ..]) => (self.state, self.skips_next) = (ScanState::Code, true),
            _ => {}
        }
        Ok(())
    }

    fn consume_unquoted_byte(&mut self, rest: &[u8]) -> Result<(), AmbiguousTextError> {
        match rest {
            [quote @ (b'\'' | b'"'), ..] => self.state = ScanState::String(*quote),
            [b'`', ..] => self.state = ScanState::Name,
            [b'#', ..] | [b'-', b'-'] | [b'-', b'-', 0..=b' ' | 0x7f, ..] => self.state = ScanState::Line,
            // For simplicity, the scanner also rejects `$` and special comments, at which the lexer does not always stop.
            [0 | b'[' | b'$', ..] | [b'-', b'-', 0x80..=0xff, ..] | [b'/', b'*', b'!' | b'+' | b'M', ..] => {
                return Err(AmbiguousTextError);
            }
            [b'/', b'*', ..] => (self.state, self.skips_next) = (ScanState::Block, true),
            _ => {}
        }
        Ok(())
    }
}

pub(super) fn find_string_end_in_all_sql_modes(bytes: &[u8], start: usize) -> Option<usize> {
    let mut scanners = ESCAPE_RULES_BY_SQL_MODE.map(SqlModeScanner::new);
    let mut at = start;
    loop {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        if rest.starts_with(b"\\") && !ends_on_char_boundary(bytes.get(..at)?) {
            return None;
        }
        for scanner in &mut scanners {
            scanner.consume_byte(rest).ok()?;
        }
        at += 1;
        if scanners.iter().all(|scanner| scanner.is_outside_quotes_and_comments()) {
            return Some(at);
        }
    }
}

/// Always returns false if `range` contains a block comment.
pub(super) fn range_ends_outside_strings_and_comments(bytes: &[u8], mut range: Range<usize>) -> bool {
    let mut scanners = ESCAPE_RULES_BY_SQL_MODE.map(SqlModeScanner::new);
    range.all(|at| {
        let rest = bytes.get(at..).unwrap_or_default();
        !rest.starts_with(b"/*") && scanners.iter_mut().all(|scanner| scanner.consume_byte(rest).is_ok())
    }) && scanners.iter().all(|scanner| scanner.is_outside_quotes_and_comments())
}

/// In some non-UTF-8 character sets, such as GBK, a backslash byte can be the second byte of a character.
pub(super) fn ends_on_char_boundary(before: &[u8]) -> bool {
    let tail = before.get(before.len().saturating_sub(4)..).unwrap_or_default();
    (0..tail.len())
        .rev()
        .find_map(|at| {
            let last = tail.get(at..)?;
            (last.first()? & 0xc0 != 0x80).then(|| std::str::from_utf8(last).is_ok())
        })
        .unwrap_or(tail.is_empty())
}
