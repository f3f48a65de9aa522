//! Statement templates: normalized statements without literals, see [`template`].
//!
//! The input is a statement as the server lists it: arbitrary bytes, often truncated, sometimes malformed.
//! The session's `sql_mode` is unknown.
//! So the lexer works without a grammar and never fails.
//! A byte is kept only if every SQL mode reads it as code, so no literal of any mode reaches the template.
//!
//! - `lexer` splits the statement into tokens; `quoted`, `comment` and `number` find where these tokens end.
//! - `sql_modes` scans the text in all modes in parallel if a backslash before a quote makes them differ.
//! - `normalize` writes the tokens, collapses lists and normalizes spaces; `keywords` classifies words.

mod comment;
mod keywords;
mod lexer;
mod normalize;
mod number;
mod quoted;
mod sql_modes;

use lexer::{Lexer, LexerEnd, Token};
use normalize::Normalizer;

/// Template of a MySQL or MariaDB statement: its text without literals.
///
/// Statements that differ only in values have the same template.
///
/// | in the statement | in the template |
/// |---|---|
/// | strings, numbers, `NULL`, `TRUE`, `FALSE` as values, `?`, `:name` | `?`, which includes the sign of a number |
/// | `1, 2, 3` and `(1, 2, 3)` | `?, ...` and `(...)` |
/// | rows of values, `(1, 2), (3, 4)` | `(...), ...` |
/// | names, `@@variables` | unchanged, without unnecessary backticks |
/// | `@variables` | `@?` |
/// | keywords | reserved words in upper case, others in lower case, synonyms unified |
/// | `_utf8mb4'x'` | `_charset ?` |
/// | spaces, line ends, the last `;` | normalized, removed |
/// | comments, hints, `/*! … */` | removed; if the statement has nothing else, the content of `/*! … */`, else `/* ... */` |
/// | a name in `"` | `?`: in the default SQL mode it is a string |
/// | text from the first unreadable position on | `...` |
///
/// Two statements have the same template if MySQL computes the same digest for them.
/// `docs/decisions/0014-sql-templates-match-mysql-digests.md` lists the few differences.
///
/// Never fails. Time and memory are linear in the length of the statement.
/// The template of a template is the template itself.
///
/// ```
/// use clew_diagnose::template;
///
/// assert_eq!(template(b"select * from t where id in (1,2,3) and name='Ada' -- hi"), b"SELECT * FROM t WHERE id IN (...) AND name = ?");
/// assert_eq!(template(b"insert into t(a, b) values (1, 'x'), (2, 'y'"), b"INSERT INTO t(a, b) VALUES (...), (?, ...");
/// ```
#[must_use]
pub fn template(statement: &[u8]) -> Vec<u8> {
    let (template, lexer) = normalize_tokens(Lexer::new(statement));
    if !template.is_empty() {
        template
    } else if lexer.has_executable_comment() {
        normalize_tokens(Lexer::new(statement).with_executable_comments()).0
    } else if lexer.has_comment() {
        b"/* ... */".to_vec()
    } else {
        template
    }
}

/// Normalizes the tokens of a lexer. Returns the template and the exhausted lexer.
fn normalize_tokens(mut lexer: Lexer<'_>) -> (Vec<u8>, Lexer<'_>) {
    let start = lexer.clone();
    let mut normalizer = Normalizer::default();
    for token in &mut lexer {
        normalizer.push(&token);
    }
    match lexer.ending() {
        LexerEnd::Complete => {}
        LexerEnd::Unreadable => normalizer.mark_unreadable(),
        // From the first quote on it is unknown which quotes open and which close.
        LexerEnd::UnpairedQuotes(first_quote) => {
            normalizer = Normalizer::default();
            for token in start.truncated_at(first_quote) {
                normalizer.push(&token);
            }
            normalizer.mark_unreadable();
        }
    }
    (normalizer.finish(), lexer)
}

/// Token of a statement without its literals, for parsers of leading keywords and table names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CodeToken {
    /// Keyword or unquoted name.
    Word(String),
    /// Name in backticks, without them.
    QuotedName(String),
    Dot,
    Comma,
    Open,
    Close,
    Semicolon,
    /// Literal, variable or operator.
    Other,
}

/// First `max` tokens of a statement, including the content of executable comments.
///
/// The flag is true if these are all tokens and every byte was readable.
pub(crate) fn code_tokens(statement: &[u8], max: usize) -> (Vec<CodeToken>, bool) {
    let mut lexer = Lexer::new(statement).with_executable_comments();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = |token: Token<'_>| match token {
        Token::Word(word, _) => CodeToken::Word(text(word)),
        Token::Name(name, ..) => {
            let inner = name.get(1..name.len().saturating_sub(1)).unwrap_or_default();
            CodeToken::QuotedName(text(inner).replace("``", "`"))
        }
        Token::Dot => CodeToken::Dot,
        Token::Comma => CodeToken::Comma,
        Token::Open => CodeToken::Open,
        Token::Close => CodeToken::Close,
        Token::Semicolon => CodeToken::Semicolon,
        Token::Variable(_) | Token::At(..) | Token::Number | Token::Value | Token::Ellipsis | Token::Operator(_) => {
            CodeToken::Other
        }
    };
    let tokens: Vec<CodeToken> = lexer.by_ref().take(max).map(code).collect();
    let complete = lexer.next().is_none() && lexer.ending() == LexerEnd::Complete;
    (tokens, complete)
}

/// Words among the first `max` tokens of a statement. Literals and punctuation are skipped.
pub(crate) fn leading_words(statement: &[u8], max: usize) -> Vec<String> {
    let word = |token| match token {
        CodeToken::Word(word) => Some(word),
        _ => None,
    };
    code_tokens(statement, max).0.into_iter().filter_map(word).collect()
}

/// Words and names of a template in order. Quoted names keep their backticks.
pub(crate) fn words_and_names(template: &[u8]) -> Vec<String> {
    let text = |token| match token {
        Token::Word(word, _) | Token::Name(word, ..) => String::from_utf8(word.to_vec()).ok(),
        _ => None,
    };
    Lexer::new(template).filter_map(text).collect()
}
