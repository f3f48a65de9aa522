//! Normalizes the tokens of an SQL statement: collapses value lists and unifies white space.

use super::keywords::{self, Keyword};
use super::lexer::{NextCharKind, Token};

/// At deeper levels, value lists in parentheses are not collapsed to `(...)`.
const MAX_TRACKED_PARENTHESIS_DEPTH: usize = 100;

#[derive(Debug, Default)]
pub(super) struct StatementNormalizer {
    out: Vec<u8>,
    last: PrecedingToken,
    values: Option<ValueList>,
    pending_sign: Option<PendingUnarySign>,
    password: PasswordDetectionState,
    statement: ParenthesisGroup,
    groups: Vec<ParenthesisGroup>,
    excess_depth: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum PrecedingToken {
    #[default]
    Start,
    Word(Option<&'static Keyword>),
    Name,
    /// Name of a built-in function, used as an ordinary name because it is quoted or lacks a parenthesis.
    FunctionName,
    /// Quoted identifier that would be a keyword without the quotes.
    QuotedName,
    Value,
    Open,
    Close,
    Comma,
    Dot,
    /// `@`, or `@@` if the `bool` is true.
    At(bool),
    Semicolon,
    /// Operator. The `bool` is true if a `+` or `-` after the operator is the sign of a number.
    Operator(bool),
}

#[derive(Debug, Clone, Copy)]
struct ValueList {
    end: usize,
    is_list: bool,
}

#[derive(Debug, Clone, Copy)]
struct RowList {
    start: usize,
    end: usize,
    collapsed_end: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct ParenthesisGroup {
    open_offset: usize,
    is_in_list: bool,
    rows: Option<RowList>,
}

#[derive(Debug, Clone, Copy)]
struct PendingUnarySign {
    at: usize,
    last: PrecedingToken,
    values: Option<ValueList>,
}

/// Tracks the keywords `IDENTIFIED BY`, which precede a password in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum PasswordDetectionState {
    #[default]
    NotExpected,
    AfterIdentified,
    Expected,
}

impl StatementNormalizer {
    pub(super) fn push_token(&mut self, token: &Token<'_>) {
        match *token {
            Token::Word(word, next_char) => self.push_word(word, next_char),
            Token::Name(name, is_plain, next_char) => self.push_name(name, is_plain, next_char),
            Token::Variable(is_adjacent) => {
                self.push_at_sign(b"@", is_adjacent);
                self.push_value_placeholder(false);
            }
            Token::At(signs, is_adjacent) => self.push_at_sign(signs, is_adjacent),
            Token::Number => self.push_value_placeholder(true),
            Token::Value => self.push_value_placeholder(false),
            Token::Ellipsis => self.push_ellipsis(),
            Token::Open => self.push_open_parenthesis(),
            Token::Close => self.push_close_parenthesis(),
            Token::Comma => self.write_token(b",", false, PrecedingToken::Comma),
            Token::Semicolon if matches!(self.last, PrecedingToken::Start | PrecedingToken::Semicolon) => {}
            Token::Operator(sign @ (b"-" | b"+")) if self.pending_sign.is_some() || self.expects_signed_number() => {
                self.push_plus_or_minus(sign);
            }
            _ => self.push_punctuation(token),
        }
    }

    pub(super) fn into_template(mut self) -> Vec<u8> {
        while matches!(self.out.last(), Some(b';' | b' ')) {
            self.out.pop();
        }
        self.out
    }

    fn innermost_parenthesis_group(&mut self) -> Option<&mut ParenthesisGroup> {
        if self.excess_depth > 0 { None } else { Some(self.groups.last_mut().unwrap_or(&mut self.statement)) }
    }

    fn write_token(&mut self, text: &[u8], space: bool, last: PrecedingToken) {
        if space {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(text);
        self.last = last;
        if last != PrecedingToken::Comma {
            self.values = None;
        }
        if !matches!(last, PrecedingToken::Comma | PrecedingToken::Open | PrecedingToken::Close) {
            self.password = PasswordDetectionState::NotExpected;
        }
        self.pending_sign = None;
    }

    fn expects_signed_number(&self) -> bool {
        match self.last {
            PrecedingToken::Open | PrecedingToken::Comma | PrecedingToken::Operator(true) => true,
            PrecedingToken::Word(word) => word.is_some_and(|word| word.precedes_signed_number()),
            _ => false,
        }
    }

    fn expects_operand(&self) -> bool {
        match self.last {
            PrecedingToken::Start
            | PrecedingToken::Open
            | PrecedingToken::Comma
            | PrecedingToken::Semicolon
            | PrecedingToken::Operator(_) => true,
            PrecedingToken::Word(word) => word.is_some_and(|word| word.precedes_operand()),
            _ => false,
        }
    }

    fn push_word(&mut self, word: &[u8], next_char: NextCharKind) {
        // A word next to a dot is a name, except in `@@GLOBAL.x`.
        let is_part = self.last == PrecedingToken::Dot
            || (next_char == NextCharKind::Dot && self.last != PrecedingToken::At(true));
        let keyword = if is_part { None } else { keywords::find_keyword(word) };
        let reserved = keyword.filter(|keyword| keyword.is_reserved());
        if reserved.is_some_and(|reserved| matches!(reserved.canonical_word, "NULL" | "TRUE" | "FALSE"))
            && self.expects_operand()
            && !matches!(self.last, PrecedingToken::Word(Some(before)) if matches!(before.canonical_word, "NOT" | "SET"))
        {
            return self.push_value_placeholder(false);
        }
        let password = self.password;
        if password == PasswordDetectionState::Expected
            && !word.eq_ignore_ascii_case(b"RANDOM")
            && !word.eq_ignore_ascii_case(b"PASSWORD")
        {
            return self.push_value_placeholder(false);
        }
        let space = self.needs_space_before_word(word);
        match keyword {
            Some(keyword) if keyword.requires_parentheses() && next_char != NextCharKind::Parenthesis => {
                self.write_token(word, space, PrecedingToken::FunctionName);
            }
            Some(keyword) => self.write_token(keyword.canonical_word.as_bytes(), space, PrecedingToken::Word(reserved)),
            None => self.write_token(word, space, PrecedingToken::Word(None)),
        }
        let written = keyword.map_or("", |keyword| keyword.canonical_word);
        self.password = match password {
            _ if written == "IDENTIFIED" => PasswordDetectionState::AfterIdentified,
            PasswordDetectionState::AfterIdentified if written == "BY" => PasswordDetectionState::Expected,
            PasswordDetectionState::Expected => PasswordDetectionState::Expected,
            _ => PasswordDetectionState::NotExpected,
        };
    }

    fn push_name(&mut self, name: &[u8], is_plain: bool, next_char: NextCharKind) {
        let space = !matches!(
            self.last,
            PrecedingToken::Start | PrecedingToken::Open | PrecedingToken::Dot | PrecedingToken::At(_)
        );
        let word = name.get(1..name.len().saturating_sub(1)).unwrap_or_default();
        if !is_plain || self.last == PrecedingToken::At(false) {
            return self.write_token(name, space, PrecedingToken::Name);
        }
        let is_part = self.last == PrecedingToken::Dot
            || (next_char == NextCharKind::Dot && self.last != PrecedingToken::At(true));
        let keyword = if is_part { None } else { keywords::find_keyword(word) };
        match keyword {
            None => self.write_token(word, space || self.needs_space_before_word(word), PrecedingToken::Name),
            Some(keyword) if keyword.requires_parentheses() => {
                self.write_token(word, space, PrecedingToken::FunctionName);
            }
            Some(_) => self.write_token(name, space, PrecedingToken::QuotedName),
        }
    }

    fn needs_space_before_word(&self, word: &[u8]) -> bool {
        match self.last {
            PrecedingToken::Start | PrecedingToken::Open | PrecedingToken::At(true) => false,
            PrecedingToken::Dot => word.first().is_some_and(u8::is_ascii_digit) && !self.ends_with_name_and_dot(),
            _ => true,
        }
    }

    fn push_value_placeholder(&mut self, is_number: bool) {
        if let Some(sign) = self.pending_sign.take()
            && is_number
        {
            self.out.truncate(sign.at);
            (self.last, self.values) = (sign.last, sign.values);
        }
        if self.last == PrecedingToken::Comma && self.values.is_some() {
            return self.collapse_value_list();
        }
        let space = !matches!(
            self.last,
            PrecedingToken::Start | PrecedingToken::Open | PrecedingToken::Dot | PrecedingToken::At(_)
        );
        self.write_token(b"?", space, PrecedingToken::Value);
        self.values = Some(ValueList { end: self.out.len(), is_list: false });
    }

    fn collapse_value_list(&mut self) {
        let Some(values) = self.values else { return };
        self.out.truncate(values.end);
        self.write_token(if values.is_list { b"" } else { b", ..." }, false, PrecedingToken::Value);
        self.values = Some(ValueList { end: self.out.len(), is_list: true });
    }

    pub(super) fn push_ellipsis(&mut self) {
        if self.last == PrecedingToken::Comma && self.values.is_some() {
            return self.collapse_value_list();
        }
        if self.last == PrecedingToken::Comma
            && self.find_row_list_ending_at(self.out.len().saturating_sub(1)).is_some()
        {
            self.out.pop();
            return self.collapse_row_list();
        }
        let space = !matches!(self.last, PrecedingToken::Start | PrecedingToken::Open);
        self.write_token(b"...", space, PrecedingToken::Value);
        self.values = Some(ValueList { end: self.out.len(), is_list: true });
    }

    fn push_open_parenthesis(&mut self) {
        let space = match self.last {
            PrecedingToken::Start | PrecedingToken::Open | PrecedingToken::Name => false,
            PrecedingToken::Word(reserved) => reserved.is_some_and(|reserved| !reserved.has_optional_parentheses()),
            _ => true,
        };
        let is_in_list = matches!(self.last, PrecedingToken::Word(Some(word)) if word.canonical_word == "IN");
        let open_offset = self.out.len() + usize::from(space);
        self.write_token(b"(", space, PrecedingToken::Open);
        if self.groups.len() < MAX_TRACKED_PARENTHESIS_DEPTH && self.excess_depth == 0 {
            self.groups.push(ParenthesisGroup { open_offset, is_in_list, ..ParenthesisGroup::default() });
        } else {
            self.excess_depth += 1;
        }
    }

    fn push_close_parenthesis(&mut self) {
        let group = if self.excess_depth > 0 { None } else { self.groups.pop() };
        self.excess_depth = self.excess_depth.saturating_sub(1);
        let Some(group) = group else { return self.write_token(b")", false, PrecedingToken::Close) };
        let content = self.out.get(group.open_offset + 1..).unwrap_or_default();
        let is_row = matches!(content, b"?" | b"..." | b"?, ...");
        if content == b"?, ..." || (content == b"?" && group.is_in_list) {
            self.out.truncate(group.open_offset + 1);
            self.out.extend_from_slice(b"...");
        }
        self.write_token(b")", false, PrecedingToken::Close);
        if is_row {
            self.finish_value_row(group.open_offset);
        }
    }

    fn finish_value_row(&mut self, open: usize) {
        let is_equal = self.find_row_list_ending_at(open.saturating_sub(2)).is_some_and(|rows| {
            self.out.get(rows.collapsed_end..open) == Some(b", ")
                && self.out.get(rows.start..rows.end) == self.out.get(open..)
        });
        if is_equal {
            return self.collapse_row_list();
        }
        let end = self.out.len();
        if let Some(group) = self.innermost_parenthesis_group() {
            group.rows = Some(RowList { start: open, end, collapsed_end: end });
        }
    }

    fn find_row_list_ending_at(&mut self, offset: usize) -> Option<RowList> {
        self.innermost_parenthesis_group()?.rows.filter(|rows| rows.collapsed_end == offset)
    }

    fn collapse_row_list(&mut self) {
        let Some(mut rows) = self.innermost_parenthesis_group().and_then(|group| group.rows) else { return };
        self.out.truncate(rows.collapsed_end);
        if rows.collapsed_end == rows.end {
            self.out.extend_from_slice(b", ...");
            rows.collapsed_end = self.out.len();
        }
        self.last = PrecedingToken::Close;
        self.values = None;
        if let Some(group) = self.innermost_parenthesis_group() {
            group.rows = Some(rows);
        }
    }

    fn push_plus_or_minus(&mut self, sign: &[u8]) {
        let first =
            self.pending_sign.unwrap_or(PendingUnarySign { at: self.out.len(), last: self.last, values: self.values });
        let space = !matches!(self.last, PrecedingToken::Start | PrecedingToken::Open);
        self.write_token(sign, space, PrecedingToken::Operator(true));
        self.pending_sign = Some(first);
    }

    fn push_at_sign(&mut self, signs: &[u8], is_adjacent: bool) {
        let follows_name =
            self.out.last().is_some_and(|&byte| keywords::is_word_byte(byte) || matches!(byte, b'`' | b'?'));
        let is_attached = is_adjacent && follows_name;
        let space = !is_attached && !matches!(self.last, PrecedingToken::Start | PrecedingToken::Open);
        self.write_token(signs, space, PrecedingToken::At(signs.len() == 2));
    }

    fn push_punctuation(&mut self, token: &Token<'_>) {
        let inside = matches!(self.last, PrecedingToken::Start | PrecedingToken::Open);
        match *token {
            Token::Semicolon => self.write_token(b";", false, PrecedingToken::Semicolon),
            Token::Dot => {
                let needs_space = matches!(self.last, PrecedingToken::QuotedName | PrecedingToken::Word(Some(_)))
                    || self.out.last() == Some(&b'.');
                self.write_token(b".", needs_space, PrecedingToken::Dot);
            }
            Token::Operator(operator) => {
                let is_all_columns = self.last == PrecedingToken::Dot && operator == b"*";
                let operator = if operator == b"<>" { b"!=" } else { operator };
                let before_sign = !matches!(operator, b"!" | b"~" | b":" | b":=" | b"{" | b"}");
                self.write_token(operator, !inside && !is_all_columns, PrecedingToken::Operator(before_sign));
            }
            _ => {}
        }
    }

    fn ends_with_name_and_dot(&self) -> bool {
        let before = self.out.len().checked_sub(2).and_then(|before| self.out.get(before));
        before.is_some_and(|&byte| keywords::is_word_byte(byte) || byte == b'`')
    }
}
