//! Putting tokens together again: lists folded, spaces made even.

mod state;

use self::state::{Group, Last, Rows, Secret, Sign, Values};
use super::lexer::{Token, Touched};
use super::words;

/// Parentheses within parentheses, up to which rows are folded. More than any application writes.
const DEEPEST: usize = 100;

/// A template in the making.
#[derive(Debug)]
pub(super) struct Fold {
    out: Vec<u8>,
    last: Last,
    values: Option<Values>,
    sign: Option<Sign>,
    secret: Secret,
    whole: Group,
    groups: Vec<Group>,
    /// Parentheses that are open beyond the deepest.
    deeper: usize,
}

impl Default for Fold {
    fn default() -> Self {
        Self {
            out: Vec::new(),
            last: Last::Start,
            values: None,
            sign: None,
            secret: Secret::No,
            whole: Group::default(),
            groups: Vec::new(),
            deeper: 0,
        }
    }
}

impl Fold {
    /// Takes the next token.
    pub(super) fn push(&mut self, token: &Token<'_>) {
        match *token {
            Token::Word(word, touched) => self.word(word, touched),
            Token::Name(name, is_plain, touched) => self.name(name, is_plain, touched),
            Token::Variable(glued) => {
                self.write_at(b"@", glued);
                self.value(false);
            }
            Token::At(signs, glued) => self.write_at(signs, glued),
            Token::Number => self.value(true),
            Token::Value => self.value(false),
            Token::More => self.more(),
            Token::Open => self.open(),
            Token::Close => self.close(),
            Token::Comma => self.write(b",", false, Last::Comma),
            Token::Semicolon if matches!(self.last, Last::Start | Last::Semicolon) => {}
            Token::Operator(sign @ (b"-" | b"+")) if self.sign.is_some() || self.wants_sign() => self.unary(sign),
            _ => self.other(token),
        }
    }

    /// Says that something follows which cannot be read safely.
    pub(super) fn cut(&mut self) {
        self.more();
    }

    /// The template.
    pub(super) fn finish(mut self) -> Vec<u8> {
        while matches!(self.out.last(), Some(b';' | b' ')) {
            self.out.pop();
        }
        self.out
    }

    /// The innermost group; nothing beyond the deepest.
    fn group(&mut self) -> Option<&mut Group> {
        if self.deeper > 0 { None } else { Some(self.groups.last_mut().unwrap_or(&mut self.whole)) }
    }

    fn write(&mut self, text: &[u8], space: bool, last: Last) {
        if space {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(text);
        self.last = last;
        if last != Last::Comma {
            self.values = None;
        }
        if !matches!(last, Last::Comma | Last::Open | Last::Close) {
            self.secret = Secret::No;
        }
        self.sign = None;
    }

    /// Whether a sign that comes now is a number's own, to MySQL.
    fn wants_sign(&self) -> bool {
        match self.last {
            Last::Open | Last::Comma | Last::Operator(true) => true,
            Last::Word(word) => word.is_some_and(|word| word.is_before_sign()),
            _ => false,
        }
    }

    /// Whether what comes now is an operand.
    fn wants_operand(&self) -> bool {
        match self.last {
            Last::Start | Last::Open | Last::Comma | Last::Semicolon | Last::Operator(_) => true,
            Last::Word(word) => word.is_some_and(|word| word.is_before_operand()),
            _ => false,
        }
    }

    fn word(&mut self, word: &[u8], touched: Touched) {
        // Beside a dot, every word is a name; not so in `@@GLOBAL.x`.
        let is_part = self.last == Last::Dot || (touched == Touched::Dot && self.last != Last::At(true));
        let known = if is_part { None } else { words::known(word) };
        let reserved = known.filter(|known| known.is_reserved());
        if reserved.is_some_and(|reserved| matches!(reserved.word, "NULL" | "TRUE" | "FALSE"))
            && self.wants_operand()
            && !matches!(self.last, Last::Word(Some(before)) if before.word == "NOT" || before.word == "SET")
        {
            return self.value(false);
        }
        let secret = self.secret;
        if secret == Secret::Next && !is(word, "RANDOM") && !is(word, "PASSWORD") {
            return self.value(false);
        }
        let space = self.needs_space_before(word);
        match known {
            Some(known) if known.is_function() && touched != Touched::Call => {
                self.write(word, space, Last::FunctionName);
            }
            Some(known) => self.write(known.word.as_bytes(), space, Last::Word(reserved)),
            None => self.write(word, space, Last::Word(None)),
        }
        let written = known.map_or("", |known| known.word);
        self.secret = match secret {
            _ if written == "IDENTIFIED" => Secret::Identified,
            Secret::Identified if written == "BY" => Secret::Next,
            Secret::Next => Secret::Next,
            _ => Secret::No,
        };
    }

    /// A name in quotes: they are left out where it is the same name without.
    fn name(&mut self, name: &[u8], is_plain: bool, touched: Touched) {
        let space = !matches!(self.last, Last::Start | Last::Open | Last::Dot | Last::At(_));
        let word = name.get(1..name.len().saturating_sub(1)).unwrap_or_default();
        if !is_plain || self.last == Last::At(false) {
            return self.write(name, space, Last::Name);
        }
        let is_part = self.last == Last::Dot || (touched == Touched::Dot && self.last != Last::At(true));
        let known = if is_part { None } else { words::known(word) };
        match known {
            None => self.write(word, space || self.needs_space_before(word), Last::Name),
            Some(known) if known.is_function() => self.write(word, space, Last::FunctionName),
            Some(_) => self.write(name, space, Last::QuotedName),
        }
    }

    fn needs_space_before(&self, word: &[u8]) -> bool {
        match self.last {
            Last::Start | Last::Open | Last::At(true) => false,
            Last::Dot => word.first().is_some_and(u8::is_ascii_digit) && !self.ends_name_and_dot(),
            _ => true,
        }
    }

    fn value(&mut self, is_number: bool) {
        if let Some(sign) = self.sign.take()
            && is_number
        {
            self.out.truncate(sign.at);
            (self.last, self.values) = (sign.last, sign.values);
        }
        if self.last == Last::Comma && self.values.is_some() {
            return self.more_values();
        }
        let space = !matches!(self.last, Last::Start | Last::Open | Last::Dot | Last::At(_));
        self.write(b"?", space, Last::Value);
        self.values = Some(Values { end: self.out.len(), many: false });
    }

    /// One more value behind a value and a comma.
    fn more_values(&mut self) {
        let Some(values) = self.values else { return };
        self.out.truncate(values.end);
        self.write(if values.many { b"" } else { b", ..." }, false, Last::Value);
        self.values = Some(Values { end: self.out.len(), many: true });
    }

    fn more(&mut self) {
        if self.last == Last::Comma && self.values.is_some() {
            return self.more_values();
        }
        if self.last == Last::Comma && self.rows_before(self.out.len().saturating_sub(1)).is_some() {
            self.out.pop();
            return self.more_rows();
        }
        let space = !matches!(self.last, Last::Start | Last::Open);
        self.write(b"...", space, Last::Value);
        self.values = Some(Values { end: self.out.len(), many: true });
    }

    fn open(&mut self) {
        let space = match self.last {
            Last::Start | Last::Open | Last::Name => false,
            Last::Word(reserved) => reserved.is_some_and(|reserved| !reserved.is_clock()),
            _ => true,
        };
        let in_list = matches!(self.last, Last::Word(Some(word)) if word.word == "IN");
        let open = self.out.len() + usize::from(space);
        self.write(b"(", space, Last::Open);
        if self.groups.len() < DEEPEST && self.deeper == 0 {
            self.groups.push(Group { open, in_list, ..Group::default() });
        } else {
            self.deeper += 1;
        }
    }

    fn close(&mut self) {
        let group = if self.deeper > 0 { None } else { self.groups.pop() };
        self.deeper = self.deeper.saturating_sub(1);
        let Some(group) = group else { return self.write(b")", false, Last::Close) };
        let held = self.out.get(group.open + 1..).unwrap_or_default();
        let is_row = matches!(held, b"?" | b"..." | b"?, ...");
        if held == b"?, ..." || (held == b"?" && group.in_list) {
            self.out.truncate(group.open + 1);
            self.out.extend_from_slice(b"...");
        }
        self.write(b")", false, Last::Close);
        if is_row {
            self.row(group.open);
        }
    }

    /// A row that starts at `open` has just been written.
    fn row(&mut self, open: usize) {
        let alike = self.rows_before(open.saturating_sub(2)).is_some_and(|rows| {
            self.out.get(rows.tail..open) == Some(b", ") && self.out.get(rows.start..rows.end) == self.out.get(open..)
        });
        if alike {
            return self.more_rows();
        }
        let end = self.out.len();
        if let Some(group) = self.group() {
            group.rows = Some(Rows { start: open, end, tail: end });
        }
    }

    /// The rows of the innermost group, if the last word about them ends at `tail`.
    fn rows_before(&mut self, tail: usize) -> Option<Rows> {
        self.group()?.rows.filter(|rows| rows.tail == tail)
    }

    /// Leaves out what comes behind rows, as it is like them.
    fn more_rows(&mut self) {
        let Some(mut rows) = self.group().and_then(|group| group.rows) else { return };
        self.out.truncate(rows.tail);
        if rows.tail == rows.end {
            self.out.extend_from_slice(b", ...");
            rows.tail = self.out.len();
        }
        self.last = Last::Close;
        self.values = None;
        if let Some(group) = self.group() {
            group.rows = Some(rows);
        }
    }

    fn unary(&mut self, sign: &[u8]) {
        let first = self.sign.unwrap_or(Sign { at: self.out.len(), last: self.last, values: self.values });
        let space = !matches!(self.last, Last::Start | Last::Open);
        self.write(sign, space, Last::Operator(true));
        self.sign = Some(first);
    }

    fn write_at(&mut self, signs: &[u8], glued: bool) {
        let space = !matches!(self.last, Last::Start | Last::Open) && !self.touches(glued);
        self.write(signs, space, Last::At(signs.len() == 2));
    }

    fn other(&mut self, token: &Token<'_>) {
        let inside = matches!(self.last, Last::Start | Last::Open);
        match *token {
            Token::Semicolon => self.write(b";", false, Last::Semicolon),
            Token::Dot => {
                let apart =
                    matches!(self.last, Last::QuotedName | Last::Word(Some(_))) || self.out.last() == Some(&b'.');
                self.write(b".", apart, Last::Dot);
            }
            Token::Operator(operator) => {
                let of_table = self.last == Last::Dot && operator == b"*";
                let operator = if operator == b"<>" { b"!=" } else { operator };
                let before_sign = !matches!(operator, b"!" | b"~" | b":" | b":=" | b"{" | b"}");
                self.write(operator, !inside && !of_table, Last::Operator(before_sign));
            }
            _ => {}
        }
    }

    /// Whether what touched a name or a literal still does.
    fn touches(&self, glued: bool) -> bool {
        glued && self.out.last().is_some_and(|&byte| words::is_word_byte(byte) || matches!(byte, b'`' | b'?'))
    }

    fn ends_name_and_dot(&self) -> bool {
        let before = self.out.len().checked_sub(2).and_then(|before| self.out.get(before));
        before.is_some_and(|&byte| words::is_word_byte(byte) || byte == b'`')
    }
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}
