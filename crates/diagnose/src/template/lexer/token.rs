//! Tokens of a statement.

/// Token of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Token<'a> {
    /// Name or keyword without quotes.
    Word(&'a [u8], FollowedBy),
    /// Name in backticks, including them. The flag is true if the name needs no quotes.
    Name(&'a [u8], bool, FollowedBy),
    /// `@name`. The flag is true if it directly follows another token, as in `root@localhost`.
    Variable(bool),
    /// `@` before anything but a name, or `@@`. The flag is true if it directly follows another token.
    At(&'a [u8], bool),
    /// Number, which may have a sign.
    Number,
    /// Literal other than a number, or placeholder.
    Value,
    /// `...`: omitted text of an existing template.
    Ellipsis,
    Open,
    Close,
    Comma,
    Dot,
    Semicolon,
    Operator(&'a [u8]),
}

/// Character directly after a name or keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum FollowedBy {
    /// `(`, which makes some names a function call.
    Parenthesis,
    /// `.`, which makes the word a name.
    Dot,
    /// Any other character, or the end.
    Other,
}
