//! Taking a statement apart.

mod token;

pub(super) use self::token::{Token, Touched};
use super::comment::{self, Comment};
use super::number::{self, Number};
use super::quoted::{self, Quoted};
use super::words;

/// How the reading of a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// At its end.
    Whole,
    /// Where going on would not be safe.
    Unreadable,
    /// Where it showed that quotes do not pair up as they should; the first of them stands here.
    Astray(usize),
}

/// Longest name without quotes, in characters: MySQL's own limit is 64.
const LONGEST_WORD: usize = 64;
/// Longest name in backticks, in bytes: aliases have up to 256 characters.
const LONGEST_NAME: usize = 1024;

/// The tokens of a statement.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    open: bool,
    met_comment: bool,
    met_executable: bool,
    first_quote: Option<usize>,
    ending: Ending,
}

impl<'a> Lexer<'a> {
    /// The tokens of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            open: false,
            met_comment: false,
            met_executable: false,
            first_quote: None,
            ending: Ending::Whole,
        }
    }

    /// Takes what executable comments hold for code.
    pub(super) fn opening_comments(self) -> Self {
        Self { open: true, ..self }
    }

    /// Ends before byte `end`.
    pub(super) fn up_to(self, end: usize) -> Self {
        Self { bytes: self.bytes.get(..end).unwrap_or_default(), ..self }
    }

    /// How it ended. Asked once there are no more tokens.
    pub(super) fn ending(&self) -> Ending {
        self.ending
    }

    /// Whether there was a comment that no server runs.
    pub(super) fn met_comment(&self) -> bool {
        self.met_comment
    }

    /// Whether there was an executable comment.
    pub(super) fn met_executable(&self) -> bool {
        self.met_executable
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let taken = self.bytes.get(self.at..self.at + length).unwrap_or_else(|| self.rest());
        self.at += taken.len();
        taken
    }

    fn single(&mut self, token: Token<'a>) -> Token<'a> {
        self.at += 1;
        token
    }

    fn stop(&mut self, ending: Ending) -> Option<Token<'a>> {
        self.ending = ending;
        self.at = self.bytes.len();
        None
    }

    fn unreadable(&mut self) -> Option<Token<'a>> {
        self.stop(Ending::Unreadable)
    }

    fn astray(&mut self) -> Option<Token<'a>> {
        self.stop(Ending::Astray(self.first_quote.unwrap_or(self.at)))
    }

    /// Whether a name or its quote ends just here.
    fn is_glued(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|before| self.bytes.get(before));
        before.is_some_and(|&byte| words::is_word_byte(byte) || matches!(byte, b'`' | b'\'' | b'"' | b'?'))
    }

    /// Skips spaces and comments. Nothing if it is not safe to go on.
    fn skip(&mut self) -> Option<()> {
        loop {
            match self.peek(0) {
                Some(9..=13 | b' ') => self.at += 1,
                Some(b'*') if self.open && self.peek(1) == Some(b'/') => self.at += 2,
                Some(b'#' | b'-' | b'/') => match comment::at(self.rest()) {
                    Comment::None => return Some(()),
                    Comment::Plain(length) => {
                        self.met_comment = true;
                        self.at += length;
                    }
                    Comment::Executable { start, length } => {
                        self.met_executable = true;
                        self.at += if self.open { start } else { length };
                    }
                    Comment::Unreadable => return self.unreadable().map(|_| ()),
                },
                _ => return Some(()),
            }
        }
    }

    fn text(&mut self, introducer: usize, token: Token<'a>) -> Option<Token<'a>> {
        let start = self.at + introducer;
        self.first_quote.get_or_insert(start);
        match quoted::text(self.bytes, start) {
            Quoted::Ends(end) => {
                self.at = end;
                if self.is_followed_by_stranger() { self.astray() } else { Some(token) }
            }
            Quoted::Unclosed => {
                self.at = self.bytes.len();
                Some(token)
            }
            Quoted::Unreadable => self.unreadable(),
        }
    }

    /// Whether a string that ends here is directly followed by a word that cannot belong there: as in `'O'Brien'`.
    fn is_followed_by_stranger(&self) -> bool {
        let length = words::length(self.rest());
        length > 0 && !words::may_touch_strings(self.rest().get(..length).unwrap_or_default())
    }

    fn name(&mut self) -> Option<Token<'a>> {
        let Some(length) = quoted::name(self.rest()) else { return self.unreadable() };
        let name = self.take(length);
        let Ok(text) = std::str::from_utf8(name) else { return self.unreadable() };
        let odd = |char: char| char.is_control() || matches!(char, '\'' | '"' | '\\' | '=' | '<' | '>' | ',' | ';');
        if length > LONGEST_NAME || text.chars().any(odd) {
            return Some(Token::Value);
        }
        let is_plain = name.get(1..length - 1).is_some_and(is_plain);
        Some(Token::Name(name, is_plain, self.touched()))
    }

    /// What comes next, should it come at once.
    fn touched(&self) -> Touched {
        match self.peek(0) {
            Some(b'(') => Touched::Call,
            Some(b'.') if !self.rest().starts_with(b"...") => Touched::Dot,
            _ => Touched::Other,
        }
    }

    /// A name, a keyword, or what introduces a string.
    fn word(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let length = words::length(rest);
        let word = rest.get(..length).unwrap_or_default();
        // A character set may touch a string.
        if matches!(rest.get(length), Some(b'\'' | b'"'))
            && word.first() != Some(&b'_')
            && !words::may_touch_strings(word)
        {
            match word {
                b"n" | b"N" => return self.text(length, Token::Value),
                b"x" | b"X" | b"b" | b"B" => return self.text(length, Token::Number),
                _ => {}
            }
            self.first_quote.get_or_insert(self.at);
            return self.astray();
        }
        if is_dollar_quote(word) {
            return self.unreadable();
        }
        match words::letters(word) {
            Some(letters) if letters <= LONGEST_WORD => {
                self.at += length;
                Some(Token::Word(word, self.touched()))
            }
            Some(_) => {
                self.at += length;
                Some(Token::Value)
            }
            None => self.unreadable(),
        }
    }

    fn number(&mut self) -> Option<Token<'a>> {
        match number::at(self.rest()) {
            Number::Literal(length) => {
                self.at += length;
                if matches!(self.peek(0), Some(b'\'' | b'"')) {
                    self.first_quote.get_or_insert(self.at);
                    return self.astray();
                }
                Some(Token::Number)
            }
            Number::Word => self.word(),
        }
    }

    fn dot(&mut self) -> Option<Token<'a>> {
        if self.rest().starts_with(b"...") {
            self.at += 3;
            return Some(Token::More);
        }
        let before = self.at.checked_sub(1).and_then(|before| self.bytes.get(before));
        let part_of_name = before.is_some_and(|&byte| words::is_word_byte(byte) || byte == b'`');
        if !part_of_name && self.peek(1).is_some_and(|byte| byte.is_ascii_digit()) {
            self.number()
        } else {
            Some(self.single(Token::Dot))
        }
    }

    fn at_sign(&mut self) -> Option<Token<'a>> {
        let glued = self.is_glued();
        let signs = if self.peek(1) == Some(b'@') { 2 } else { 1 };
        let named = self.peek(signs).is_some_and(|byte| words::is_word_byte(byte) && !byte.is_ascii_digit());
        if signs == 2 || !named {
            return Some(Token::At(self.take(signs), glued));
        }
        let name = self.rest().get(signs..).unwrap_or_default();
        let length = name.iter().position(|&byte| !words::is_word_byte(byte) && byte != b'.').unwrap_or(name.len());
        if words::letters(name.get(..length).unwrap_or_default()).is_none() {
            return self.unreadable();
        }
        self.at += signs + length;
        Some(Token::Variable(glued))
    }

    fn colon(&mut self) -> Token<'a> {
        let placeholder = !self.is_glued() && self.peek(1).is_some_and(words::is_word_byte);
        if !placeholder {
            return self.operator();
        }
        self.at += 1;
        self.at += words::length(self.rest());
        Token::Value
    }

    fn backslash(&mut self) -> Option<Token<'a>> {
        if self.peek(1) == Some(b'N') && !self.peek(2).is_some_and(words::is_word_byte) {
            self.at += 2;
            return Some(Token::Value);
        }
        self.astray()
    }

    fn operator(&mut self) -> Token<'a> {
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
        self.skip()?;
        match self.peek(0)? {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80.. => self.word(),
            b'0'..=b'9' => self.number(),
            b'\'' | b'"' => self.text(0, Token::Value),
            b'`' => self.name(),
            b'(' => Some(self.single(Token::Open)),
            b')' => Some(self.single(Token::Close)),
            b',' => Some(self.single(Token::Comma)),
            b';' => Some(self.single(Token::Semicolon)),
            b'?' => Some(self.single(Token::Value)),
            b'.' => self.dot(),
            b'@' => self.at_sign(),
            b':' => Some(self.colon()),
            b'\\' => self.backslash(),
            b'!' | b'%' | b'&' | b'*' | b'+' | b'-' | b'/' | b'<' | b'=' | b'>' | b'^' | b'{' | b'|' | b'}' | b'~' => {
                Some(self.operator())
            }
            // Control characters end statements; MariaDB has a mode in which `[` opens a quoted name.
            _ => self.unreadable(),
        }
    }
}

/// Whether a name can be written without quotes, should it mean nothing else.
fn is_plain(name: &[u8]) -> bool {
    words::length(name) == name.len()
        && !is_dollar_quote(name)
        && words::letters(name).is_some_and(|letters| (1..=LONGEST_WORD).contains(&letters))
        && (!name.first().is_some_and(u8::is_ascii_digit) || number::at(name) == Number::Word)
}

/// Whether a word opens what MySQL 9 quotes the code of functions with.
fn is_dollar_quote(word: &[u8]) -> bool {
    word.first() == Some(&b'$') && word.iter().skip(1).any(|&byte| byte == b'$')
}
