//! Reading in every mode at once.
//!
//! `'a\', b, 'c'` is two strings with `NO_BACKSLASH_ESCAPES` and one that goes on without. Nobody tells which mode a session
//! is in. So from such a string on, the statement is read in each mode at once, up to where all of them are in code again;
//! what lies between is one literal.

use std::ops::Range;

/// Which quotes a backslash escapes in.
#[derive(Debug, Clone, Copy)]
struct Mode {
    single: bool,
    double: bool,
}

/// No mode; `NO_BACKSLASH_ESCAPES`; `ANSI_QUOTES`, in which a name in `"` takes a backslash as it is.
const MODES: [Mode; 3] =
    [Mode { single: true, double: true }, Mode { single: false, double: false }, Mode { single: true, double: false }];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    Text(u8),
    Name,
    Line,
    Block,
}

/// One way to read, and where it is.
#[derive(Debug, Clone, Copy)]
struct Reading {
    mode: Mode,
    state: State,
    /// The next byte belongs to this one.
    skip: bool,
}

/// A place that no reading can be trusted behind.
struct Unreadable;

impl Reading {
    fn of(mode: Mode) -> Self {
        Self { mode, state: State::Code, skip: false }
    }

    fn is_in_code(self) -> bool {
        self.state == State::Code && !self.skip
    }

    fn escapes(self, quote: u8) -> bool {
        if quote == b'\'' { self.mode.single } else { self.mode.double }
    }

    /// Takes the first byte of `rest`.
    fn step(&mut self, rest: &[u8]) -> Result<(), Unreadable> {
        if self.skip {
            self.skip = false;
            return Ok(());
        }
        match (self.state, rest) {
            (State::Code, _) => self.step_in_code(rest)?,
            (State::Text(quote), [b'\\', ..]) => self.skip = self.escapes(quote),
            (State::Text(quote), [byte, next, ..]) if *byte == quote && *next == quote => self.skip = true,
            (State::Text(quote), [byte, ..]) if *byte == quote => self.state = State::Code,
            (State::Name, [b'`', b'`', ..]) => self.skip = true,
            (State::Name, [b'`', ..]) | (State::Line, [b'\n', ..]) => self.state = State::Code,
            (State::Line, [0, ..]) => return Err(Unreadable),
            (State::Block, [b'*', b'/', ..]) => (self.state, self.skip) = (State::Code, true),
            _ => {}
        }
        Ok(())
    }

    fn step_in_code(&mut self, rest: &[u8]) -> Result<(), Unreadable> {
        match rest {
            [quote @ (b'\'' | b'"'), ..] => self.state = State::Text(*quote),
            [b'`', ..] => self.state = State::Name,
            [b'#', ..] | [b'-', b'-'] | [b'-', b'-', 0..=b' ' | 0x7f, ..] => self.state = State::Line,
            // What the lexer does not read on behind either; all `$` for simplicity.
            [0 | b'[' | b'$', ..] | [b'-', b'-', 0x80..=0xff, ..] | [b'/', b'*', b'!' | b'+' | b'M', ..] => {
                return Err(Unreadable);
            }
            [b'/', b'*', ..] => (self.state, self.skip) = (State::Block, true),
            _ => {}
        }
        Ok(())
    }
}

/// Where all readings of a string that starts at `start` are in code again; nothing if they never are.
pub(super) fn meet(bytes: &[u8], start: usize) -> Option<usize> {
    let mut readings = MODES.map(Reading::of);
    let mut at = start;
    loop {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        if rest.starts_with(b"\\") && !ends_whole(bytes.get(..at)?) {
            return None;
        }
        for reading in &mut readings {
            reading.step(rest).ok()?;
        }
        at += 1;
        if readings.iter().all(|reading| reading.is_in_code()) {
            return Some(at);
        }
    }
}

/// Whether every reading of the bytes of `range` is in code at its end. With a comment among them, none is said to be.
pub(super) fn end_in_code(bytes: &[u8], mut range: Range<usize>) -> bool {
    let mut readings = MODES.map(Reading::of);
    range.all(|at| {
        let rest = bytes.get(at..).unwrap_or_default();
        !rest.starts_with(b"/*") && readings.iter_mut().all(|reading| reading.step(rest).is_ok())
    }) && readings.iter().all(|reading| reading.is_in_code())
}

/// Whether `before` ends with a whole character of UTF-8. If not, the server did not turn the statement into UTF-8, and a
/// backslash behind it may be the second half of a character.
pub(super) fn ends_whole(before: &[u8]) -> bool {
    let tail = before.get(before.len().saturating_sub(4)..).unwrap_or_default();
    (0..tail.len())
        .rev()
        .find_map(|at| {
            let last = tail.get(at..)?;
            // From the last byte that starts a character on.
            (last.first()? & 0xc0 != 0x80).then(|| std::str::from_utf8(last).is_ok())
        })
        .unwrap_or(tail.is_empty())
}
