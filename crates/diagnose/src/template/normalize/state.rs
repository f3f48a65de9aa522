//! State of the SQL statement normalizer.

use super::super::keywords::Keyword;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastToken {
    Start,
    Word(Option<&'static Keyword>),
    Name,
    /// Function name that is a keyword only if it is unquoted and followed by a parenthesis.
    FunctionName,
    /// Quoted name that would be a keyword without the backticks.
    QuotedName,
    Value,
    Open,
    Close,
    Comma,
    Dot,
    /// `@`, or `@@` if the `bool` is true.
    At(bool),
    Semicolon,
    /// Operator. The `bool` is true if a subsequent `+` or `-` is part of a number.
    Operator(bool),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ValueList {
    pub(super) end: usize,
    pub(super) is_list: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct CollapsibleRows {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) collapsed_end: usize,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ParenthesisGroup {
    /// Offset of the opening parenthesis in the normalized statement.
    pub(super) open: usize,
    pub(super) is_in_list: bool,
    pub(super) rows: Option<CollapsibleRows>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PendingUnarySign {
    pub(super) at: usize,
    pub(super) last: LastToken,
    pub(super) values: Option<ValueList>,
}

/// State for detecting the password after `IDENTIFIED BY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PasswordDetectionState {
    NotExpected,
    AfterIdentified,
    Expected,
}
