//! Where a template in the making stands.

use super::super::words::Known;

/// What was written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Start,
    /// And what it is, if it is reserved.
    Word(Option<&'static Known>),
    Name,
    /// One that would be a function, were it touched by a parenthesis.
    FunctionName,
    /// One in quotes, as it would mean something else without.
    QuotedName,
    Value,
    Open,
    Close,
    Comma,
    Dot,
    /// And whether it was two.
    At(bool),
    Semicolon,
    /// And whether a sign behind it is a number's own.
    Operator(bool),
}

/// A value or list of values, and where it ends in the output. Nothing but a comma came after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    pub(super) end: usize,
    pub(super) many: bool,
}

/// Rows that are alike: the first of them, and where the last word about them ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) tail: usize,
}

/// A parenthesis that is open, or the statement itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    /// Where it opens in the output.
    pub(super) open: usize,
    /// Whether it is what `IN` looks into.
    pub(super) in_list: bool,
    pub(super) rows: Option<Rows>,
}

/// A sign, or several, that belong to the operand behind them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sign {
    pub(super) at: usize,
    pub(super) last: Last,
    pub(super) values: Option<Values>,
}

/// Where `IDENTIFIED BY` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    No,
    Identified,
    Next,
}
