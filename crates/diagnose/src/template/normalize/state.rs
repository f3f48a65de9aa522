//! State of the normalizer.

use super::super::keywords::Keyword;

/// LastToken token that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastToken {
    Start,
    /// Word, with its keyword entry if it is reserved.
    Word(Option<&'static Keyword>),
    Name,
    /// Name that would be a function call if an opening parenthesis followed directly.
    FunctionName,
    /// Quoted name that has another meaning without quotes.
    QuotedName,
    Value,
    Open,
    Close,
    Comma,
    Dot,
    /// `@`, or `@@` if true.
    At(bool),
    Semicolon,
    /// Operator; true if a sign after it belongs to a number.
    Operator(bool),
}

/// Value or list of values, and its end in the output. Followed by nothing or by a comma.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValueList {
    pub(super) end: usize,
    pub(super) is_list: bool,
}

/// Equal rows: range of the first row, and the end of their output.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowRun {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) collapsed_end: usize,
}

/// Open parenthesis, or the whole statement.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    /// Offset of the parenthesis in the output.
    pub(super) open: usize,
    /// Whether it is the list of an `IN` operator.
    pub(super) is_in_list: bool,
    pub(super) rows: Option<RowRun>,
}

/// One or more signs that belong to the operand after them.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingSign {
    pub(super) at: usize,
    pub(super) last: LastToken,
    pub(super) values: Option<ValueList>,
}

/// Progress in `IDENTIFIED BY`, which precedes a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PasswordState {
    NotExpected,
    AfterIdentified,
    Expected,
}
