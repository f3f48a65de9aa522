//! Tokens of an SQL statement.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Token<'a> {
    /// Unquoted name or keyword.
    Word(&'a [u8], NextChar),
    /// Quoted name including its backticks. The `bool` is true if the name is valid without quotes.
    Name(&'a [u8], bool, NextChar),
    /// User variable `@name`. The `bool` is true if the `@` directly follows another token, as in `root@localhost`.
    Variable(bool),
    /// `@@`, or `@` without a name. The `bool` is true if the token directly follows another token.
    At(&'a [u8], bool),
    /// Number literal.
    Number,
    /// Placeholder such as `?`, or a literal that is not a number.
    Value,
    /// `...`, which marks omitted text in a statement template.
    Ellipsis,
    Open,
    Close,
    Comma,
    Dot,
    Semicolon,
    Operator(&'a [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum NextChar {
    /// Opening parenthesis after a name, as in a function call.
    Parenthesis,
    /// Dot, as in a qualified name.
    Dot,
    Other,
}
