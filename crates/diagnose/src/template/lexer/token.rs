//! What a statement is made of.

/// A piece of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Token<'a> {
    /// A name or keyword without quotes.
    Word(&'a [u8], Touched),
    /// A name in backticks, with them. Whether a word could be written instead.
    Name(&'a [u8], bool, Touched),
    /// `@name`. Whether it directly follows what comes before it, as in `root@localhost`.
    Variable(bool),
    /// `@` before anything else, or `@@`.
    At(&'a [u8], bool),
    /// A number: a sign may be part of it.
    Number,
    /// Any other literal, or a placeholder.
    Value,
    /// `...`: what an earlier template left out.
    More,
    Open,
    Close,
    Comma,
    Dot,
    Semicolon,
    Operator(&'a [u8]),
}

/// What touches the end of a name or keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Touched {
    /// `(`: some functions are such only then.
    Call,
    /// `.`: so it is a name.
    Dot,
    /// Anything else.
    Other,
}
