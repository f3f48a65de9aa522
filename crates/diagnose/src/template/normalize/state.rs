//! State of the normalizer.

use super::super::keywords::Keyword;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastToken {
    Start,
    Word(Option<&'static Keyword>),
    Name,
    /// Function name, which is a keyword only if it is unquoted and a parenthesis follows.
    FunctionName,
    /// Quoted name that would be a keyword without the quotes.
    QuotedName,
    Value,
    Open,
    Close,
    Comma,
    Dot,
    /// `@`, or `@@` if true.
    At(bool),
    Semicolon,
    /// Operator. The flag is true if a subsequent `+` or `-` is part of a number.
    Operator(bool),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ValueList {
    pub(super) end: usize,
    pub(super) is_list: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct DuplicateRowRun {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) collapsed_end: usize,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ParenthesisGroup {
    /// Output offset of the opening parenthesis.
    pub(super) open: usize,
    pub(super) is_in_list: bool,
    pub(super) rows: Option<DuplicateRowRun>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PendingSign {
    pub(super) at: usize,
    pub(super) last: LastToken,
    pub(super) values: Option<ValueList>,
}

/// Parser state for the password after `IDENTIFIED BY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PasswordState {
    NotExpected,
    AfterIdentified,
    Expected,
}
