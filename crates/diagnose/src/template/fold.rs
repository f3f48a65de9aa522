//! Putting tokens together again: lists folded, spaces made even.

use super::lexer::Token;
use super::words::{self, Known};

/// Parentheses within parentheses, up to which rows are folded. More than any application writes.
const DEEPEST: usize = 100;

/// What was written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Start,
    /// And what it is, if it is reserved.
    Word(Option<&'static Known>),
    Name,
    Variable,
    /// And whether it was a string.
    Value(bool),
    Open,
    Close,
    Comma,
    Dot,
    At,
    Semicolon,
    Operator,
}

/// A value or list of values, and where it ends in the output. Nothing but a comma came after it.
#[derive(Debug, Clone, Copy)]
struct Values {
    end: usize,
    many: bool,
}

/// Rows that are alike: the first of them, and where the last word about them ends.
#[derive(Debug, Clone, Copy)]
struct Rows {
    start: usize,
    end: usize,
    tail: usize,
}

/// A parenthesis that is open, or the statement itself.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    /// Where it opens in the output.
    open: usize,
    /// Whether it is what `IN` looks into.
    in_list: bool,
    /// Whether it is right behind `VALUES`.
    in_values: bool,
    rows: Option<Rows>,
}

/// A sign, or several, that belong to the operand behind them.
#[derive(Debug, Clone, Copy)]
struct Sign {
    at: usize,
    last: Last,
    values: Option<Values>,
}

/// Where `IDENTIFIED BY` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secret {
    No,
    Identified,
    Next,
}

/// A template in the making.
#[derive(Debug)]
pub(super) struct Fold {
    out: Vec<u8>,
    last: Last,
    values: Option<Values>,
    sign: Option<Sign>,
    secret: Secret,
    /// The word just written, if it is a function should a parenthesis follow.
    function: Option<&'static Known>,
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
            function: None,
            whole: Group::default(),
            groups: Vec::new(),
            deeper: 0,
        }
    }
}

impl Fold {
    /// Takes the next token.
    pub(super) fn push(&mut self, token: &Token<'_>) {
        match token {
            Token::Word(word) => self.word(word),
            Token::Text if self.last == Last::Value(true) => {}
            Token::Text => self.value(true),
            Token::Value => self.value(false),
            Token::More => self.more(),
            Token::Open => self.open(),
            Token::Close => self.close(),
            Token::Comma => self.write(b",", false, Last::Comma),
            Token::Semicolon if matches!(self.last, Last::Start | Last::Semicolon) => {}
            Token::Operator(sign @ (b"-" | b"+")) if self.sign.is_some() || self.wants_operand() => self.unary(sign),
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
            if let Some(group) = self.group() {
                group.in_values = false;
            }
        }
        self.sign = None;
        self.function = None;
    }

    /// Whether what comes now is an operand, and a sign before it is no subtraction.
    fn wants_operand(&self) -> bool {
        match self.last {
            Last::Start | Last::Open | Last::Comma | Last::Semicolon | Last::Operator => true,
            Last::Word(word) => word.is_some_and(|word| word.is_before_operand()),
            Last::Name | Last::Variable | Last::Value(_) | Last::Close | Last::Dot | Last::At => false,
        }
    }

    fn word(&mut self, word: &[u8]) {
        // Behind a dot, every word is a name.
        let known = if self.last == Last::Dot { None } else { words::known(word) };
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
        let space = match self.last {
            Last::Start | Last::Open => false,
            Last::Dot => word.first().is_some_and(u8::is_ascii_digit) && !self.ends_name_and_dot(),
            _ => true,
        };
        let capitals = known.filter(|known| !known.is_function());
        self.write(capitals.map_or(word, |known| known.word.as_bytes()), space, Last::Word(reserved));
        self.function = known.filter(|known| known.is_function());
        let written = known.map_or("", |known| known.word);
        self.secret = match secret {
            _ if written == "IDENTIFIED" => Secret::Identified,
            Secret::Identified if written == "BY" => Secret::Next,
            Secret::Next => Secret::Next,
            _ => Secret::No,
        };
        if (written == "VALUES" || is(word, "VALUE"))
            && let Some(group) = self.group()
        {
            group.in_values = true;
        }
    }

    fn value(&mut self, is_text: bool) {
        if let Some(sign) = self.sign.take() {
            self.out.truncate(sign.at);
            (self.last, self.values) = (sign.last, sign.values);
        }
        if self.last == Last::Comma && self.values.is_some() {
            return self.more_values(Last::Value(is_text));
        }
        let space = !matches!(self.last, Last::Start | Last::Open | Last::Dot | Last::At);
        self.write(b"?", space, Last::Value(is_text));
        self.values = Some(Values { end: self.out.len(), many: false });
    }

    /// One more value behind a value and a comma.
    fn more_values(&mut self, last: Last) {
        let Some(values) = self.values else { return };
        self.out.truncate(values.end);
        self.write(if values.many { b"" } else { b", ..." }, false, last);
        self.values = Some(Values { end: self.out.len(), many: true });
    }

    fn more(&mut self) {
        if self.last == Last::Comma && self.values.is_some() {
            return self.more_values(Last::Value(false));
        }
        if self.last == Last::Comma && self.rows_before(self.out.len().saturating_sub(1)).is_some() {
            self.out.pop();
            return self.more_rows();
        }
        let space = !matches!(self.last, Last::Start | Last::Open);
        self.write(b"...", space, Last::Value(false));
        self.values = Some(Values { end: self.out.len(), many: true });
    }

    fn open(&mut self) {
        let space = match self.last {
            Last::Start | Last::Open | Last::Name => false,
            Last::Word(reserved) => reserved.is_some(),
            _ => true,
        };
        if let Some(function) = self.function.take() {
            self.out.truncate(self.out.len() - function.word.len());
            self.out.extend_from_slice(function.word.as_bytes());
        }
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
        if is_row || self.group().is_some_and(|parent| parent.in_values) {
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
        self.write(sign, space, Last::Operator);
        self.sign = Some(first);
    }

    fn other(&mut self, token: &Token<'_>) {
        let inside = matches!(self.last, Last::Start | Last::Open);
        match *token {
            Token::Name(name) => self.write(name, !inside && !matches!(self.last, Last::Dot | Last::At), Last::Name),
            Token::Variable(name, glued) => self.write(name, !inside && !self.touches(glued), Last::Variable),
            Token::At(signs, glued) => self.write(signs, !inside && !self.touches(glued), Last::At),
            Token::Semicolon => self.write(b";", false, Last::Semicolon),
            Token::Dot => {
                let apart = matches!(self.last, Last::Variable | Last::Word(Some(_))) || self.out.last() == Some(&b'.');
                self.write(b".", apart, Last::Dot);
            }
            Token::Operator(operator) => {
                let of_table = self.last == Last::Dot && operator == b"*";
                self.write(operator, !inside && !of_table, Last::Operator);
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
