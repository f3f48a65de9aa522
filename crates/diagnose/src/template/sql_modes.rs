//! Parallel scan of a statement in several SQL modes.
//!
//! `'a\', b, 'c'` is two strings with `NO_BACKSLASH_ESCAPES`, and a longer first string without it.
//! The SQL mode of a session is unknown.
//! So from such a string on, the text is scanned in every mode until all modes are in code again.
//! The text between is one literal.

use std::ops::Range;

/// Quotes in which a backslash is an escape character, by SQL mode.
#[derive(Debug, Clone, Copy)]
struct EscapeRules {
    single: bool,
    double: bool,
}

/// Default; `NO_BACKSLASH_ESCAPES`; `ANSI_QUOTES`, in which a backslash in a `"` name is literal.
const SQL_MODES: [EscapeRules; 3] = [
    EscapeRules { single: true, double: true },
    EscapeRules { single: false, double: false },
    EscapeRules { single: true, double: false },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScanState {
    Code,
    String(u8),
    Name,
    Line,
    Block,
}

/// Scanner for one SQL mode.
#[derive(Debug, Clone, Copy)]
struct ModeScanner {
    rules: EscapeRules,
    state: ScanState,
    /// The next byte belongs to the current one.
    skips_next: bool,
}

/// Error: the text after this position is ambiguous.
struct AmbiguousText;

impl ModeScanner {
    fn new(rules: EscapeRules) -> Self {
        Self { rules, state: ScanState::Code, skips_next: false }
    }

    fn is_in_code(self) -> bool {
        self.state == ScanState::Code && !self.skips_next
    }

    fn escapes(self, quote: u8) -> bool {
        if quote == b'\'' { self.rules.single } else { self.rules.double }
    }

    /// Consumes the first byte of `rest`.
    fn step(&mut self, rest: &[u8]) -> Result<(), AmbiguousText> {
        if self.skips_next {
            self.skips_next = false;
            return Ok(());
        }
        match (self.state, rest) {
            (ScanState::Code, _) => self.step_in_code(rest)?,
            (ScanState::String(quote), [b'\\', ..]) => self.skips_next = self.escapes(quote),
            (ScanState::String(quote), [byte, next, ..]) if *byte == quote && *next == quote => self.skips_next = true,
            (ScanState::String(quote), [byte, ..]) if *byte == quote => self.state = ScanState::Code,
            (ScanState::Name, [b'`', b'`', ..]) => self.skips_next = true,
            (ScanState::Name, [b'`', ..]) | (ScanState::Line, [b'\n', ..]) => self.state = ScanState::Code,
            (ScanState::Line, [0, ..]) => return Err(AmbiguousText),
            (ScanState::Block, [b'*', b'/', ..]) => (self.state, self.skips_next) = (ScanState::Code, true),
            _ => {}
        }
        Ok(())
    }

    fn step_in_code(&mut self, rest: &[u8]) -> Result<(), AmbiguousText> {
        match rest {
            [quote @ (b'\'' | b'"'), ..] => self.state = ScanState::String(*quote),
            [b'`', ..] => self.state = ScanState::Name,
            [b'#', ..] | [b'-', b'-'] | [b'-', b'-', 0..=b' ' | 0x7f, ..] => self.state = ScanState::Line,
            // The lexer does not read on after these either; every `$` is rejected for simplicity.
            [0 | b'[' | b'$', ..] | [b'-', b'-', 0x80..=0xff, ..] | [b'/', b'*', b'!' | b'+' | b'M', ..] => {
                return Err(AmbiguousText);
            }
            [b'/', b'*', ..] => (self.state, self.skips_next) = (ScanState::Block, true),
            _ => {}
        }
        Ok(())
    }
}

/// Finds the offset after the string at `start` at which all modes are in code again; `None` if there is none.
pub(super) fn find_resync(bytes: &[u8], start: usize) -> Option<usize> {
    let mut scanners = SQL_MODES.map(ModeScanner::new);
    let mut at = start;
    loop {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        if rest.starts_with(b"\\") && !ends_on_char_boundary(bytes.get(..at)?) {
            return None;
        }
        for scanner in &mut scanners {
            scanner.step(rest).ok()?;
        }
        at += 1;
        if scanners.iter().all(|scanner| scanner.is_in_code()) {
            return Some(at);
        }
    }
}

/// Whether every mode is in code at the end of `range`. False if the range contains a comment.
pub(super) fn all_end_in_code(bytes: &[u8], mut range: Range<usize>) -> bool {
    let mut scanners = SQL_MODES.map(ModeScanner::new);
    range.all(|at| {
        let rest = bytes.get(at..).unwrap_or_default();
        !rest.starts_with(b"/*") && scanners.iter_mut().all(|scanner| scanner.step(rest).is_ok())
    }) && scanners.iter().all(|scanner| scanner.is_in_code())
}

/// Whether `before` ends with a complete UTF-8 character.
///
/// If not, the server did not convert the statement to UTF-8.
/// Then a backslash after it may be the second byte of a character.
pub(super) fn ends_on_char_boundary(before: &[u8]) -> bool {
    let tail = before.get(before.len().saturating_sub(4)..).unwrap_or_default();
    (0..tail.len())
        .rev()
        .find_map(|at| {
            let last = tail.get(at..)?;
            // Starts at the last byte that begins a character.
            (last.first()? & 0xc0 != 0x80).then(|| std::str::from_utf8(last).is_ok())
        })
        .unwrap_or(tail.is_empty())
}
