//! Statements without their literals: [`template`].
//!
//! A statement comes as the server lists it: any bytes, often cut, now and then broken, from a session whose `sql_mode` nobody
//! knows. So there is no parser here and no failure. Where two ways to read a statement differ, a byte is kept only if both of
//! them take it for code: what is a literal in one of them never survives.
//!
//! - `lexer` takes the statement apart; `quoted`, `comment` and `number` say where such a thing ends.
//! - `readings` reads on in every mode at once where a backslash before a quote makes the modes differ.
//! - `fold` puts the tokens together again, with lists folded and spaces made even; `words` knows the grammar's.

mod comment;
mod fold;
mod lexer;
mod number;
mod quoted;
mod readings;
mod words;

use fold::Fold;
use lexer::{Ending, Lexer, Token};

/// The template of a statement of MySQL or MariaDB: what two runs of one statement with other values have in common.
///
/// | in the statement | in the template |
/// |---|---|
/// | strings, numbers, `NULL`, `TRUE`, `FALSE` as values, `?`, `:name` | `?`, the sign of a number included |
/// | `1, 2, 3` and `(1, 2, 3)` | `?, ...` and `(...)` |
/// | rows of values, `(1, 2), (3, 4)` | `(...), ...` |
/// | names, `@@variables` | as they are, without backticks where they need none |
/// | `@variables` | `@?` |
/// | words of the grammar | reserved ones in capitals, others in small letters, synonyms as one |
/// | `_utf8mb4'x'` | `_charset ?` |
/// | spaces, line ends, the last `;` | made even, left out |
/// | comments, hints, `/*! … */` | left out; of a statement that is nothing else, what `/*! … */` holds, else `/* ... */` |
/// | a quoted name in `"` | `?`: in most servers' mode it is a string |
/// | from where it cannot be read safely | `...` |
///
/// Two statements share a template where MySQL gives them one digest. What few differences there are, and why, is in
/// `docs/decisions/0014-templates-group-as-mysql-does.md`.
///
/// Never fails, whatever the bytes; takes time and memory in proportion to them. A template is its own template.
///
/// ```
/// use clew_diagnose::template;
///
/// assert_eq!(template(b"select * from t where id in (1,2,3) and name='Ada' -- hi"), b"SELECT * FROM t WHERE id IN (...) AND name = ?");
/// assert_eq!(template(b"insert into t(a, b) values (1, 'x'), (2, 'y'"), b"INSERT INTO t(a, b) VALUES (...), (?, ...");
/// ```
#[must_use]
pub fn template(statement: &[u8]) -> Vec<u8> {
    let (template, lexer) = folded(Lexer::new(statement));
    if !template.is_empty() {
        template
    } else if lexer.met_executable() {
        folded(Lexer::new(statement).opening_comments()).0
    } else if lexer.met_comment() {
        b"/* ... */".to_vec()
    } else {
        template
    }
}

/// The template of what a lexer has before it, and the lexer behind it.
fn folded(mut lexer: Lexer<'_>) -> (Vec<u8>, Lexer<'_>) {
    let start = lexer.clone();
    let mut fold = Fold::default();
    for token in &mut lexer {
        fold.push(&token);
    }
    match lexer.ending() {
        Ending::Whole => {}
        Ending::Unreadable => fold.cut(),
        // Which quotes open and which close is in doubt from the first one on.
        Ending::Astray(first_quote) => {
            fold = Fold::default();
            for token in start.up_to(first_quote) {
                fold.push(&token);
            }
            fold.cut();
        }
    }
    (fold.finish(), lexer)
}

/// A token of a statement, with literals left out: what a parser of leading keywords and table names needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CodeToken {
    /// A keyword, or a name without quotes.
    Word(String),
    /// A name in backticks, without them.
    QuotedName(String),
    Dot,
    Comma,
    Open,
    Close,
    Semicolon,
    /// A literal, a variable or an operator.
    Other,
}

/// The first `max` tokens of a statement, with the content of executable comments, and whether these are all tokens and every byte was
/// readable.
pub(crate) fn code_tokens(statement: &[u8], max: usize) -> (Vec<CodeToken>, bool) {
    let mut lexer = Lexer::new(statement).opening_comments();
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
        Token::Variable(_) | Token::At(..) | Token::Number | Token::Value | Token::More | Token::Operator(_) => {
            CodeToken::Other
        }
    };
    let tokens: Vec<CodeToken> = lexer.by_ref().take(max).map(code).collect();
    let complete = lexer.next().is_none() && lexer.ending() == Ending::Whole;
    (tokens, complete)
}

/// The first words of a statement among its first `max` tokens; literals and signs are left out.
pub(crate) fn leading_words(statement: &[u8], max: usize) -> Vec<String> {
    let word = |token| match token {
        CodeToken::Word(word) => Some(word),
        _ => None,
    };
    code_tokens(statement, max).0.into_iter().filter_map(word).collect()
}

/// The words and names of a template, in order; those in backticks with them.
pub(crate) fn words_of(template: &[u8]) -> Vec<String> {
    let text = |token| match token {
        Token::Word(word, _) | Token::Name(word, ..) => String::from_utf8(word.to_vec()).ok(),
        _ => None,
    };
    Lexer::new(template).filter_map(text).collect()
}
