//! Statement templates: normalized statements without literals, built by [`build_statement_template`].
//!
//! The input is a statement from the process list: arbitrary bytes, often truncated and sometimes malformed.
//! The lexer does not know the `sql_mode` of the session that sent the statement.
//! The lexer splits text into tokens without checking the SQL grammar, so it accepts any input.
//! Templates contain only bytes that are outside literals in every SQL mode, so templates never reveal literals.

mod comment;
mod keywords;
mod lexer;
mod normalize;
mod number;
mod quoted_text;
mod sql_modes;

use lexer::{Lexer, LexerStopReason, Token};
use normalize::StatementNormalizer;

/// Returns the template of a MySQL or MariaDB statement: the normalized statement without literals.
///
/// Statements that differ only in literals have the same template.
///
/// | in the statement | in the template |
/// |---|---|
/// | strings, signed numbers, `?`, `:name`, and `NULL`, `TRUE`, `FALSE` as values | replaced by `?` |
/// | list of values such as `1, 2, 3` | replaced by `?, ...` |
/// | list of values in parentheses, such as `(1, 2, 3)` | replaced by `(...)` |
/// | rows of values such as `(1, 2), (3, 4)` | replaced by `(...), ...` |
/// | names and system variables such as `@@sql_mode` | unchanged, except that unnecessary backticks are removed |
/// | user variable such as `@total` | replaced by `@?` |
/// | keywords | uppercase, or lowercase if often used as names; synonyms are replaced by one canonical keyword |
/// | string with a character set introducer, such as `_utf8mb4'x'` | replaced by `_charset ?` |
/// | white space | normalized |
/// | trailing `;` | removed |
/// | comments and hints | removed |
/// | only comments, including an executable comment (`/*! … */`) | replaced by the template of the executable code |
/// | only comments, none of them executable | replaced by `/* ... */` |
/// | name in double quotes | replaced by `?`, because double quotes delimit strings in the default SQL mode |
/// | rest of the statement if literal boundaries are ambiguous | replaced by `...` |
///
/// Statements with the same MySQL digest have the same template.
/// `docs/decisions/0014-sql-templates-match-mysql-digests.md` lists the differences from MySQL digests.
///
/// The running time and the memory usage grow linearly with the statement length.
/// The function is idempotent: if the input is a template, the function returns the template unchanged.
///
/// ```
/// use clew_diagnose::build_statement_template;
///
/// let template = build_statement_template(b"select * from t where id in (1,2) and name='Ada'");
/// assert_eq!(template, b"SELECT * FROM t WHERE id IN (...) AND name = ?");
/// let template = build_statement_template(b"insert into t(a, b) values (1, 'x'), (2, 'y'");
/// assert_eq!(template, b"INSERT INTO t(a, b) VALUES (...), (?, ...");
/// ```
#[must_use]
pub fn build_statement_template(statement: &[u8]) -> Vec<u8> {
    let (template, lexer) = normalize_tokens(Lexer::new(statement));
    if !template.is_empty() {
        template
    } else if lexer.has_executable_comment {
        normalize_tokens(Lexer::new(statement).with_executable_comments_as_code()).0
    } else if lexer.has_comment {
        b"/* ... */".to_vec()
    } else {
        template
    }
}

fn normalize_tokens(mut lexer: Lexer<'_>) -> (Vec<u8>, Lexer<'_>) {
    let start = lexer.clone();
    let mut normalizer = StatementNormalizer::default();
    for token in &mut lexer {
        normalizer.push_token(&token);
    }
    match lexer.stop_reason {
        LexerStopReason::Complete => {}
        LexerStopReason::AmbiguousText => normalizer.push_ellipsis(),
        // In a statement with an unpaired quote, opening and closing quotes after the first quote are ambiguous.
        LexerStopReason::UnpairedQuotes(first_quote) => {
            normalizer = StatementNormalizer::default();
            for token in start.truncate_input_at_offset(first_quote) {
                normalizer.push_token(&token);
            }
            normalizer.push_ellipsis();
        }
    }
    (normalizer.into_template(), lexer)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StatementToken {
    /// Keyword or unquoted name.
    Word(String),
    /// Quoted name without its backticks.
    QuotedName(String),
    Dot,
    Comma,
    Open,
    Close,
    Semicolon,
    /// `@` or `@@`, or a user variable.
    At,
    /// Literal or operator.
    Other,
}

impl StatementToken {
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::QuotedName(name) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// Returns up to `max` tokens of a statement and a flag that is true if the tokens cover the whole statement.
pub(crate) fn tokenize_statement(statement: &[u8], max: usize) -> (Vec<StatementToken>, bool) {
    let mut lexer = Lexer::new(statement).with_executable_comments_as_code();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = |token: Token<'_>| match token {
        Token::Word(word, _) => StatementToken::Word(text(word)),
        Token::Name(name, ..) => {
            let inner = name.get(1..name.len().saturating_sub(1)).unwrap_or_default();
            StatementToken::QuotedName(text(inner).replace("``", "`"))
        }
        Token::Dot => StatementToken::Dot,
        Token::Comma => StatementToken::Comma,
        Token::Open => StatementToken::Open,
        Token::Close => StatementToken::Close,
        Token::Semicolon => StatementToken::Semicolon,
        Token::Variable(_) | Token::At(..) => StatementToken::At,
        Token::Number | Token::Value | Token::Ellipsis | Token::Operator(_) => StatementToken::Other,
    };
    let tokens: Vec<StatementToken> = lexer.by_ref().take(max).map(code).collect();
    let complete = lexer.next().is_none() && lexer.stop_reason == LexerStopReason::Complete;
    (tokens, complete)
}

pub(crate) fn collect_leading_words(statement: &[u8], max: usize) -> Vec<String> {
    let word = |token| match token {
        StatementToken::Word(word) => Some(word),
        _ => None,
    };
    tokenize_statement(statement, max).0.into_iter().filter_map(word).collect()
}

/// Quoted names include their backticks.
pub(crate) fn collect_template_words(template: &[u8]) -> Vec<String> {
    let text = |token| match token {
        Token::Word(word, _) | Token::Name(word, ..) => String::from_utf8(word.to_vec()).ok(),
        _ => None,
    };
    Lexer::new(template).filter_map(text).collect()
}
