//! State of the normalizer.

use super::super::keywords::Keyword;

/// Last token in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastToken {
    Start,
    /// Unquoted word, with its keyword if the word is reserved.
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

/// Value or value list at the end of the output, optionally followed by a comma.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValueList {
    pub(super) end: usize,
    pub(super) is_list: bool,
}

/// Output offsets of a run of equal value rows, which is collapsed to the first row and `...`.
#[derive(Debug, Clone, Copy)]
pub(super) struct DuplicateRowRun {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) collapsed_end: usize,
}

/// Tokens inside an open parenthesis or at the top level of the statement.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ParenthesisGroup {
    /// Output offset of the opening parenthesis.
    pub(super) open: usize,
    /// True for the operand list of an `IN` operator.
    pub(super) is_in_list: bool,
    pub(super) rows: Option<DuplicateRowRun>,
}

/// One or more `+` or `-` signs that belong to the operand after them.
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
