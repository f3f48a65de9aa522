//! Grammar-free lexer for SQL statements.

use super::comment::{self, CommentKind};
use super::keywords;
use super::number;
use super::quoted_text::{self, StringLiteralEnd};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Unquoted name or keyword.
    Word(&'a [u8], NextCharKind),
    /// Name in backticks, including the backticks. The `bool` is true if the name is also valid without backticks.
    Name(&'a [u8], bool, NextCharKind),
    /// User variable `@name`. The `bool` is true if a name or a quote directly precedes the `@`, as in `root@localhost`.
    Variable(bool),
    /// `@@`, or an `@` that no name follows. The `bool` is true if a name or a quote directly precedes the token.
    At(&'a [u8], bool),
    Number,
    /// Placeholder such as `?`, or non-numeric literal.
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
pub(super) enum NextCharKind {
    Parenthesis,
    Dot,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LexerStopReason {
    #[default]
    Complete,
    /// The lexer stopped because the remaining text of the statement is ambiguous and may contain literals.
    AmbiguousText,
    /// The value is the offset of the first quote, at which Clew truncates the statement.
    UnpairedQuotes(usize),
}

/// MySQL has the same limit.
const MAX_UNQUOTED_NAME_CHARS: usize = 64;
/// In UTF-8, the longest MySQL alias (256 characters) has up to 1,024 bytes.
const MAX_QUOTED_NAME_BYTES: usize = 1024;

#[derive(Debug, Clone, Default)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    position: usize,
    executes_comments: bool,
    pub(super) has_comment: bool,
    pub(super) has_executable_comment: bool,
    first_quote: Option<usize>,
    /// The value is valid only after the lexer has returned the last token.
    pub(super) stop_reason: LexerStopReason,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, ..Self::default() }
    }

    pub(super) fn with_executable_comments_as_code(self) -> Self {
        Self { executes_comments: true, ..self }
    }

    pub(super) fn truncate_input_at_offset(self, end: usize) -> Self {
        Self { bytes: self.bytes.get(..end).unwrap_or_default(), ..self }
    }

    fn peek_byte(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.position + ahead).copied()
    }

    fn remaining_bytes(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    fn take_bytes(&mut self, length: usize) -> &'a [u8] {
        let bytes = self.bytes.get(self.position..self.position + length).unwrap_or_else(|| self.remaining_bytes());
        self.position += bytes.len();
        bytes
    }

    fn read_one_byte_token(&mut self, token: Token<'a>) -> Token<'a> {
        self.position += 1;
        token
    }

    fn stop_lexing(&mut self, reason: LexerStopReason) -> Option<Token<'a>> {
        self.stop_reason = reason;
        self.position = self.bytes.len();
        None
    }

    fn stop_at_ambiguous_text(&mut self) -> Option<Token<'a>> {
        self.stop_lexing(LexerStopReason::AmbiguousText)
    }

    fn stop_at_unpaired_quote(&mut self) -> Option<Token<'a>> {
        self.stop_lexing(LexerStopReason::UnpairedQuotes(self.first_quote.unwrap_or(self.position)))
    }

    fn is_preceded_by_name_or_quote(&self) -> bool {
        let before = self.position.checked_sub(1).and_then(|before| self.bytes.get(before));
        before.is_some_and(|&byte| keywords::is_word_byte(byte) || matches!(byte, b'`' | b'\'' | b'"' | b'?'))
    }

    /// Returns `None` if the lexer must stop because the text is ambiguous.
    fn skip_spaces_and_comments(&mut self) -> Option<()> {
        loop {
            match self.peek_byte(0) {
                Some(9..=13 | b' ') => self.position += 1,
                Some(b'*') if self.executes_comments && self.peek_byte(1) == Some(b'/') => self.position += 2,
                Some(b'#' | b'-' | b'/') => match comment::classify_comment(self.remaining_bytes()) {
                    CommentKind::NotAComment => return Some(()),
                    CommentKind::Plain(length) => {
                        self.has_comment = true;
                        self.position += length;
                    }
                    CommentKind::Executable { start, length } => {
                        self.has_executable_comment = true;
                        self.position += if self.executes_comments { start } else { length };
                    }
                    CommentKind::Ambiguous => return self.stop_at_ambiguous_text().map(|_| ()),
                },
                _ => return Some(()),
            }
        }
    }

    fn read_string_literal(&mut self, introducer: usize, token: Token<'a>) -> Option<Token<'a>> {
        let start = self.position + introducer;
        self.first_quote.get_or_insert(start);
        match quoted_text::find_string_end(self.bytes, start) {
            StringLiteralEnd::At(end) => {
                self.position = end;
                if self.is_next_word_invalid_after_string() { self.stop_at_unpaired_quote() } else { Some(token) }
            }
            StringLiteralEnd::Unclosed => {
                self.position = self.bytes.len();
                Some(token)
            }
            StringLiteralEnd::Ambiguous => self.stop_at_ambiguous_text(),
        }
    }

    /// Returns true for a next word that cannot follow a string literal, for example `Brien` in `'O'Brien'`.
    fn is_next_word_invalid_after_string(&self) -> bool {
        let length = keywords::leading_word_length(self.remaining_bytes());
        length > 0
            && !keywords::can_be_adjacent_to_string_literal(self.remaining_bytes().get(..length).unwrap_or_default())
    }

    fn read_quoted_name(&mut self) -> Option<Token<'a>> {
        let Some(length) = quoted_text::quoted_name_length(self.remaining_bytes()) else {
            return self.stop_at_ambiguous_text();
        };
        let name = self.take_bytes(length);
        let Ok(text) = std::str::from_utf8(name) else { return self.stop_at_ambiguous_text() };
        let is_forbidden =
            |char: char| char.is_control() || matches!(char, '\'' | '"' | '\\' | '=' | '<' | '>' | ',' | ';');
        if length > MAX_QUOTED_NAME_BYTES || text.chars().any(is_forbidden) {
            return Some(Token::Value);
        }
        let is_plain = name.get(1..length - 1).is_some_and(is_valid_unquoted_name);
        Some(Token::Name(name, is_plain, self.classify_next_char()))
    }

    fn classify_next_char(&self) -> NextCharKind {
        match self.peek_byte(0) {
            Some(b'(') => NextCharKind::Parenthesis,
            Some(b'.') if !self.remaining_bytes().starts_with(b"...") => NextCharKind::Dot,
            _ => NextCharKind::Other,
        }
    }

    fn read_word(&mut self) -> Option<Token<'a>> {
        let rest = self.remaining_bytes();
        let length = keywords::leading_word_length(rest);
        let word = rest.get(..length).unwrap_or_default();
        // A character set introducer may directly precede a string.
        if matches!(rest.get(length), Some(b'\'' | b'"'))
            && word.first() != Some(&b'_')
            && !keywords::can_be_adjacent_to_string_literal(word)
        {
            match word {
                b"n" | b"N" => return self.read_string_literal(length, Token::Value),
                b"x" | b"X" | b"b" | b"B" => return self.read_string_literal(length, Token::Number),
                _ => {}
            }
            self.first_quote.get_or_insert(self.position);
            return self.stop_at_unpaired_quote();
        }
        if starts_dollar_quoted_string(word) {
            return self.stop_at_ambiguous_text();
        }
        match keywords::count_word_chars(word) {
            Some(letters) if letters <= MAX_UNQUOTED_NAME_CHARS => {
                self.position += length;
                Some(Token::Word(word, self.classify_next_char()))
            }
            Some(_) => {
                self.position += length;
                Some(Token::Value)
            }
            None => self.stop_at_ambiguous_text(),
        }
    }

    fn read_number(&mut self) -> Option<Token<'a>> {
        let Some(length) = number::number_literal_length(self.remaining_bytes()) else { return self.read_word() };
        self.position += length;
        if matches!(self.peek_byte(0), Some(b'\'' | b'"')) {
            self.first_quote.get_or_insert(self.position);
            return self.stop_at_unpaired_quote();
        }
        Some(Token::Number)
    }

    fn read_dot(&mut self) -> Option<Token<'a>> {
        if self.remaining_bytes().starts_with(b"...") {
            self.position += 3;
            return Some(Token::Ellipsis);
        }
        let before = self.position.checked_sub(1).and_then(|before| self.bytes.get(before));
        let part_of_name = before.is_some_and(|&byte| keywords::is_word_byte(byte) || byte == b'`');
        if !part_of_name && self.peek_byte(1).is_some_and(|byte| byte.is_ascii_digit()) {
            self.read_number()
        } else {
            Some(self.read_one_byte_token(Token::Dot))
        }
    }

    fn read_at_sign(&mut self) -> Option<Token<'a>> {
        let is_adjacent = self.is_preceded_by_name_or_quote();
        let signs = if self.peek_byte(1) == Some(b'@') { 2 } else { 1 };
        let named = self.peek_byte(signs).is_some_and(|byte| keywords::is_word_byte(byte) && !byte.is_ascii_digit());
        if signs == 2 || !named {
            return Some(Token::At(self.take_bytes(signs), is_adjacent));
        }
        let name = self.remaining_bytes().get(signs..).unwrap_or_default();
        let length = name.iter().position(|&byte| !keywords::is_word_byte(byte) && byte != b'.').unwrap_or(name.len());
        if keywords::count_word_chars(name.get(..length).unwrap_or_default()).is_none() {
            return self.stop_at_ambiguous_text();
        }
        self.position += signs + length;
        Some(Token::Variable(is_adjacent))
    }

    fn read_colon(&mut self) -> Token<'a> {
        let placeholder = !self.is_preceded_by_name_or_quote() && self.peek_byte(1).is_some_and(keywords::is_word_byte);
        if !placeholder {
            return self.read_operator();
        }
        self.position += 1;
        self.position += keywords::leading_word_length(self.remaining_bytes());
        Token::Value
    }

    fn read_backslash(&mut self) -> Option<Token<'a>> {
        if self.peek_byte(1) == Some(b'N') && !self.peek_byte(2).is_some_and(keywords::is_word_byte) {
            self.position += 2;
            return Some(Token::Value);
        }
        self.stop_at_unpaired_quote()
    }

    fn read_operator(&mut self) -> Token<'a> {
        let length = match (self.peek_byte(0), self.peek_byte(1), self.peek_byte(2)) {
            (Some(b'<'), Some(b'='), Some(b'>')) | (Some(b'-'), Some(b'>'), Some(b'>')) => 3,
            (Some(b'<'), Some(b'=' | b'>' | b'<'), _)
            | (Some(b'>'), Some(b'=' | b'>'), _)
            | (Some(b'!' | b':'), Some(b'='), _)
            | (Some(b'-'), Some(b'>'), _)
            | (Some(b'|'), Some(b'|'), _)
            | (Some(b'&'), Some(b'&'), _) => 2,
            _ => 1,
        };
        Token::Operator(self.take_bytes(length))
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_spaces_and_comments()?;
        match self.peek_byte(0)? {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80.. => self.read_word(),
            b'0'..=b'9' => self.read_number(),
            b'\'' | b'"' => self.read_string_literal(0, Token::Value),
            b'`' => self.read_quoted_name(),
            b'(' => Some(self.read_one_byte_token(Token::Open)),
            b')' => Some(self.read_one_byte_token(Token::Close)),
            b',' => Some(self.read_one_byte_token(Token::Comma)),
            b';' => Some(self.read_one_byte_token(Token::Semicolon)),
            b'?' => Some(self.read_one_byte_token(Token::Value)),
            b'.' => self.read_dot(),
            b'@' => self.read_at_sign(),
            b':' => Some(self.read_colon()),
            b'\\' => self.read_backslash(),
            b'!' | b'%' | b'&' | b'*' | b'+' | b'-' | b'/' | b'<' | b'=' | b'>' | b'^' | b'{' | b'|' | b'}' | b'~' => {
                Some(self.read_operator())
            }
            // Control characters can end a statement, and `[` opens a quoted name in MariaDB's SQL mode `MSSQL`.
            _ => self.stop_at_ambiguous_text(),
        }
    }
}

/// Checks only the syntax of `name`, not whether `name` is a keyword.
fn is_valid_unquoted_name(name: &[u8]) -> bool {
    keywords::leading_word_length(name) == name.len()
        && !starts_dollar_quoted_string(name)
        && keywords::count_word_chars(name).is_some_and(|letters| (1..=MAX_UNQUOTED_NAME_CHARS).contains(&letters))
        && (!name.first().is_some_and(u8::is_ascii_digit) || number::number_literal_length(name).is_none())
}

/// Returns true if a word starts a dollar-quoted string, such as a function body in MySQL 9.
fn starts_dollar_quoted_string(word: &[u8]) -> bool {
    word.first() == Some(&b'$') && word.iter().skip(1).any(|&byte| byte == b'$')
}
