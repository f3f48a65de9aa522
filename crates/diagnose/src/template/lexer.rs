//! Lexer for SQL statements.

mod token;

pub(super) use self::token::{FollowedBy, Token};
use super::comment::{self, Comment};
use super::keywords;
use super::number::{self, NumberToken};
use super::quoted::{self, StringEnd};

/// Reason for the end of the token stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LexerEnd {
    /// End of the statement.
    Complete,
    /// Position from which on the text cannot be read safely.
    Unreadable,
    /// Quotes do not pair up. Holds the offset of the first quote.
    UnpairedQuotes(usize),
}

/// Maximum length of an unquoted name, in characters. MySQL's own limit is 64.
const MAX_WORD_CHARS: usize = 64;
/// Maximum length of a name in backticks, in bytes. Aliases have up to 256 characters.
const MAX_QUOTED_NAME_BYTES: usize = 1024;

/// Token stream of a statement.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    position: usize,
    executes_comments: bool,
    has_comment: bool,
    has_executable_comment: bool,
    first_quote: Option<usize>,
    ending: LexerEnd,
}

impl<'a> Lexer<'a> {
    /// Creates a lexer for `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: 0,
            executes_comments: false,
            has_comment: false,
            has_executable_comment: false,
            first_quote: None,
            ending: LexerEnd::Complete,
        }
    }

    /// Reads the content of executable comments as code.
    pub(super) fn with_executable_comments(self) -> Self {
        Self { executes_comments: true, ..self }
    }

    /// Truncates the input before byte `end`.
    pub(super) fn truncated_at(self, end: usize) -> Self {
        Self { bytes: self.bytes.get(..end).unwrap_or_default(), ..self }
    }

    /// Reason for the end of the token stream. Valid after the last token.
    pub(super) fn ending(&self) -> LexerEnd {
        self.ending
    }

    /// Whether the statement has a comment that no server executes.
    pub(super) fn has_comment(&self) -> bool {
        self.has_comment
    }

    /// Whether the statement has an executable comment.
    pub(super) fn has_executable_comment(&self) -> bool {
        self.has_executable_comment
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.position + ahead).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let taken = self.bytes.get(self.position..self.position + length).unwrap_or_else(|| self.rest());
        self.position += taken.len();
        taken
    }

    fn read_byte(&mut self, token: Token<'a>) -> Token<'a> {
        self.position += 1;
        token
    }

    fn stop_with(&mut self, ending: LexerEnd) -> Option<Token<'a>> {
        self.ending = ending;
        self.position = self.bytes.len();
        None
    }

    fn stop_unreadable(&mut self) -> Option<Token<'a>> {
        self.stop_with(LexerEnd::Unreadable)
    }

    fn stop_unpaired_quotes(&mut self) -> Option<Token<'a>> {
        self.stop_with(LexerEnd::UnpairedQuotes(self.first_quote.unwrap_or(self.position)))
    }

    /// Whether the current position directly follows a name, a quote or a placeholder.
    fn follows_name_or_quote(&self) -> bool {
        let before = self.position.checked_sub(1).and_then(|before| self.bytes.get(before));
        before.is_some_and(|&byte| keywords::is_word_byte(byte) || matches!(byte, b'`' | b'\'' | b'"' | b'?'))
    }

    /// Skips spaces and comments. `None` if the rest cannot be read safely.
    fn skip_spaces_and_comments(&mut self) -> Option<()> {
        loop {
            match self.peek(0) {
                Some(9..=13 | b' ') => self.position += 1,
                Some(b'*') if self.executes_comments && self.peek(1) == Some(b'/') => self.position += 2,
                Some(b'#' | b'-' | b'/') => match comment::classify(self.rest()) {
                    Comment::None => return Some(()),
                    Comment::Plain(length) => {
                        self.has_comment = true;
                        self.position += length;
                    }
                    Comment::Executable { start, length } => {
                        self.has_executable_comment = true;
                        self.position += if self.executes_comments { start } else { length };
                    }
                    Comment::Ambiguous => return self.stop_unreadable().map(|_| ()),
                },
                _ => return Some(()),
            }
        }
    }

    fn read_string(&mut self, introducer: usize, token: Token<'a>) -> Option<Token<'a>> {
        let start = self.position + introducer;
        self.first_quote.get_or_insert(start);
        match quoted::find_string_end(self.bytes, start) {
            StringEnd::At(end) => {
                self.position = end;
                if self.is_followed_by_invalid_word() { self.stop_unpaired_quotes() } else { Some(token) }
            }
            StringEnd::Unclosed => {
                self.position = self.bytes.len();
                Some(token)
            }
            StringEnd::Ambiguous => self.stop_unreadable(),
        }
    }

    /// Whether a string at this position is directly followed by a word that cannot be part of it, as in `'O'Brien'`.
    fn is_followed_by_invalid_word(&self) -> bool {
        let length = keywords::word_length(self.rest());
        length > 0 && !keywords::may_adjoin_string(self.rest().get(..length).unwrap_or_default())
    }

    fn read_quoted_name(&mut self) -> Option<Token<'a>> {
        let Some(length) = quoted::quoted_name_length(self.rest()) else { return self.stop_unreadable() };
        let name = self.take(length);
        let Ok(text) = std::str::from_utf8(name) else { return self.stop_unreadable() };
        let is_forbidden =
            |char: char| char.is_control() || matches!(char, '\'' | '"' | '\\' | '=' | '<' | '>' | ',' | ';');
        if length > MAX_QUOTED_NAME_BYTES || text.chars().any(is_forbidden) {
            return Some(Token::Value);
        }
        let is_plain = name.get(1..length - 1).is_some_and(needs_no_quotes);
        Some(Token::Name(name, is_plain, self.followed_by()))
    }

    /// Classifies the byte after the token.
    fn followed_by(&self) -> FollowedBy {
        match self.peek(0) {
            Some(b'(') => FollowedBy::Parenthesis,
            Some(b'.') if !self.rest().starts_with(b"...") => FollowedBy::Dot,
            _ => FollowedBy::Other,
        }
    }

    /// Reads a name, a keyword, or the prefix of a string.
    fn read_word(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let length = keywords::word_length(rest);
        let word = rest.get(..length).unwrap_or_default();
        // A character set introducer may directly precede a string.
        if matches!(rest.get(length), Some(b'\'' | b'"'))
            && word.first() != Some(&b'_')
            && !keywords::may_adjoin_string(word)
        {
            match word {
                b"n" | b"N" => return self.read_string(length, Token::Value),
                b"x" | b"X" | b"b" | b"B" => return self.read_string(length, Token::Number),
                _ => {}
            }
            self.first_quote.get_or_insert(self.position);
            return self.stop_unpaired_quotes();
        }
        if is_dollar_quote(word) {
            return self.stop_unreadable();
        }
        match keywords::count_characters(word) {
            Some(letters) if letters <= MAX_WORD_CHARS => {
                self.position += length;
                Some(Token::Word(word, self.followed_by()))
            }
            Some(_) => {
                self.position += length;
                Some(Token::Value)
            }
            None => self.stop_unreadable(),
        }
    }

    fn read_number(&mut self) -> Option<Token<'a>> {
        match number::classify(self.rest()) {
            NumberToken::Literal(length) => {
                self.position += length;
                if matches!(self.peek(0), Some(b'\'' | b'"')) {
                    self.first_quote.get_or_insert(self.position);
                    return self.stop_unpaired_quotes();
                }
                Some(Token::Number)
            }
            NumberToken::Word => self.read_word(),
        }
    }

    fn read_dot(&mut self) -> Option<Token<'a>> {
        if self.rest().starts_with(b"...") {
            self.position += 3;
            return Some(Token::Ellipsis);
        }
        let before = self.position.checked_sub(1).and_then(|before| self.bytes.get(before));
        let part_of_name = before.is_some_and(|&byte| keywords::is_word_byte(byte) || byte == b'`');
        if !part_of_name && self.peek(1).is_some_and(|byte| byte.is_ascii_digit()) {
            self.read_number()
        } else {
            Some(self.read_byte(Token::Dot))
        }
    }

    fn read_at_sign(&mut self) -> Option<Token<'a>> {
        let is_adjacent = self.follows_name_or_quote();
        let signs = if self.peek(1) == Some(b'@') { 2 } else { 1 };
        let named = self.peek(signs).is_some_and(|byte| keywords::is_word_byte(byte) && !byte.is_ascii_digit());
        if signs == 2 || !named {
            return Some(Token::At(self.take(signs), is_adjacent));
        }
        let name = self.rest().get(signs..).unwrap_or_default();
        let length = name.iter().position(|&byte| !keywords::is_word_byte(byte) && byte != b'.').unwrap_or(name.len());
        if keywords::count_characters(name.get(..length).unwrap_or_default()).is_none() {
            return self.stop_unreadable();
        }
        self.position += signs + length;
        Some(Token::Variable(is_adjacent))
    }

    fn read_colon(&mut self) -> Token<'a> {
        let placeholder = !self.follows_name_or_quote() && self.peek(1).is_some_and(keywords::is_word_byte);
        if !placeholder {
            return self.read_operator();
        }
        self.position += 1;
        self.position += keywords::word_length(self.rest());
        Token::Value
    }

    fn read_backslash(&mut self) -> Option<Token<'a>> {
        if self.peek(1) == Some(b'N') && !self.peek(2).is_some_and(keywords::is_word_byte) {
            self.position += 2;
            return Some(Token::Value);
        }
        self.stop_unpaired_quotes()
    }

    fn read_operator(&mut self) -> Token<'a> {
        let length = match (self.peek(0), self.peek(1), self.peek(2)) {
            (Some(b'<'), Some(b'='), Some(b'>')) | (Some(b'-'), Some(b'>'), Some(b'>')) => 3,
            (Some(b'<'), Some(b'=' | b'>' | b'<'), _)
            | (Some(b'>'), Some(b'=' | b'>'), _)
            | (Some(b'!' | b':'), Some(b'='), _)
            | (Some(b'-'), Some(b'>'), _)
            | (Some(b'|'), Some(b'|'), _)
            | (Some(b'&'), Some(b'&'), _) => 2,
            _ => 1,
        };
        Token::Operator(self.take(length))
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_spaces_and_comments()?;
        match self.peek(0)? {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80.. => self.read_word(),
            b'0'..=b'9' => self.read_number(),
            b'\'' | b'"' => self.read_string(0, Token::Value),
            b'`' => self.read_quoted_name(),
            b'(' => Some(self.read_byte(Token::Open)),
            b')' => Some(self.read_byte(Token::Close)),
            b',' => Some(self.read_byte(Token::Comma)),
            b';' => Some(self.read_byte(Token::Semicolon)),
            b'?' => Some(self.read_byte(Token::Value)),
            b'.' => self.read_dot(),
            b'@' => self.read_at_sign(),
            b':' => Some(self.read_colon()),
            b'\\' => self.read_backslash(),
            b'!' | b'%' | b'&' | b'*' | b'+' | b'-' | b'/' | b'<' | b'=' | b'>' | b'^' | b'{' | b'|' | b'}' | b'~' => {
                Some(self.read_operator())
            }
            // Control characters end statements. In one mode of MariaDB, `[` opens a quoted name.
            _ => self.stop_unreadable(),
        }
    }
}

/// Whether a name needs no quotes, unless it is a keyword.
fn needs_no_quotes(name: &[u8]) -> bool {
    keywords::word_length(name) == name.len()
        && !is_dollar_quote(name)
        && keywords::count_characters(name).is_some_and(|letters| (1..=MAX_WORD_CHARS).contains(&letters))
        && (!name.first().is_some_and(u8::is_ascii_digit) || number::classify(name) == NumberToken::Word)
}

/// Whether a word opens a dollar-quoted string, which MySQL 9 uses for the code of functions.
fn is_dollar_quote(word: &[u8]) -> bool {
    word.first() == Some(&b'$') && word.iter().skip(1).any(|&byte| byte == b'$')
}
