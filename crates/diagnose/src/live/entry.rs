//! A session of the live list: its cells, and in which version each last changed.

use std::fmt::Write;

use clew_model::{COLUMNS, Cell, DETAIL_COLUMNS, Session, SessionRow};

use super::{LiveSession, RUNNING, STATEMENT_KEPT};
use crate::template::template;
use crate::text::clean;

/// Places of columns that are not like the others.
const USER: usize = 1;
const HOST: usize = 2;
const STATE: usize = 4;
const COMMAND: usize = 5;
pub(super) const STATEMENT: usize = 6;
const STATE_DURATION: usize = 7;
pub(super) const WAITS_FOR: usize = 16;
pub(super) const TEMPLATE: usize = 19;
pub(super) const COUNT: usize = 20;

/// From so many changed cells on, the whole row is shorter.
const MUCH: usize = COUNT / 2;
/// By how many milliseconds an age may be off: servers print whole seconds.
const ROUNDED: i64 = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Empty,
    Number(u64),
    Text(Box<str>),
}

#[derive(Debug)]
pub(super) struct Entry {
    /// In which version it came.
    born: u32,
    /// In which version a cell last changed.
    pub(super) changed: u32,
    cells: [Value; COUNT],
    cells_changed: [u32; COUNT],
    /// When the numbers of [`RUNNING`] were what the cells say, in milliseconds since 1970.
    since: [i64; RUNNING.len()],
    waits_for_masked: Option<Box<str>>,
}

impl Entry {
    pub(super) fn new(version: u32, at: i64, live: &LiveSession) -> Self {
        let mut cells = cells(live);
        set(&mut cells, TEMPLATE, template_of(live));
        Self {
            born: version,
            changed: version,
            cells,
            cells_changed: [version; COUNT],
            since: [at; RUNNING.len()],
            waits_for_masked: live.waits_for_masked.as_deref().map(Box::from),
        }
    }

    /// Whether this is the session, and not another one that was given its number since.
    pub(super) fn is_of(&self, session: &Session) -> bool {
        let same =
            |at: usize, text: &[u8]| matches!(self.cells.get(at), Some(Value::Text(known)) if **known == *clean(text));
        // Before it has signed in, a session has neither its account nor, on some servers, its port.
        same(HOST, &session.host) && (same(USER, &session.user) || same(USER, b"unauthenticated user"))
    }

    pub(super) fn update(&mut self, version: u32, at: i64, live: &LiveSession) {
        let mut now = cells(live);
        let statement = |cells: &[Value; COUNT]| cells.get(STATEMENT).cloned();
        let same_statement = statement(&self.cells) == statement(&now);
        // To make a template costs more than all the rest.
        let template = if same_statement { self.cells.get(TEMPLATE).cloned() } else { Some(template_of(live)) };
        set(&mut now, TEMPLATE, template.unwrap_or(Value::Empty));
        let differs = |place: usize| self.cells.get(place) != now.get(place);
        // What it does began anew, and with it the age, however old it was.
        let began = [STATE, COMMAND, STATEMENT].into_iter().any(differs);
        let places = self.cells.iter_mut().zip(&mut self.cells_changed).zip(now).enumerate();
        for (place, ((known, changed), now)) in places {
            let since = match RUNNING.iter().position(|running| *running == place) {
                Some(index) => self.since.get_mut(index),
                None => None,
            };
            let goes_on = match (&since, &*known, &now) {
                (Some(since), Value::Number(known), Value::Number(now)) => {
                    !(began && place == STATE_DURATION) && goes_on(*known, at - **since, *now)
                }
                (_, known, now) => known == now,
            };
            if goes_on {
                continue;
            }
            *known = now;
            *changed = version;
            self.changed = version;
            if let Some(since) = since {
                *since = at;
            }
        }
        self.waits_for_masked = live.waits_for_masked.as_deref().map(Box::from);
    }

    /// All cells, as they are at this moment.
    pub(super) fn write_whole(&self, out: &mut String, at: i64, masked: bool) {
        for place in 0..COUNT {
            out.push(if place == 0 { '[' } else { ',' });
            self.write_cell(out, place, at, masked);
        }
        out.push(']');
    }

    /// The cells that changed since a version; all of them where most did, or where it was not there.
    pub(super) fn write_since(&self, out: &mut String, version: u32, at: i64, masked: bool) {
        let changed = || self.cells_changed.iter().enumerate().filter(|(_, changed)| **changed > version);
        if self.born > version || changed().count() > MUCH {
            return self.write_whole(out, at, masked);
        }
        for (number, (place, _)) in changed().enumerate() {
            let _ = write!(out, "{}\"{place}\":", if number == 0 { '{' } else { ',' });
            self.write_cell(out, place, at, masked);
        }
        out.push('}');
    }

    fn write_cell(&self, out: &mut String, place: usize, at: i64, masked: bool) {
        let shown = if masked && place == STATEMENT { TEMPLATE } else { place };
        if masked && place == WAITS_FOR {
            return write_text(out, self.waits_for_masked.as_deref());
        }
        match self.cells.get(shown) {
            None | Some(Value::Empty) => out.push_str("null"),
            Some(Value::Text(text)) => write_text(out, Some(&**text)),
            Some(Value::Number(number)) => {
                let running = RUNNING.iter().position(|running| *running == place);
                let passed = running.and_then(|index| self.since.get(index)).map_or(0, |since| (at - since) / 1000);
                let _ = write!(out, "{}", number.saturating_add_signed(passed));
            }
        }
    }
}

/// Whether an age is what it would be if nothing happened for so many milliseconds.
fn goes_on(was: u64, passed: i64, is: u64) -> bool {
    let milliseconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    milliseconds(is).saturating_sub(milliseconds(was)).saturating_sub(passed).abs() <= ROUNDED
}

fn cells(live: &LiveSession) -> [Value; COUNT] {
    let row = SessionRow { session: &live.session, transaction: live.transaction.as_ref() };
    let mut cells = [const { Value::Empty }; COUNT];
    let of_session = COLUMNS.iter().map(|column| (column.cell)(&row));
    let details = DETAIL_COLUMNS.iter().filter(|column| column.key != "statement_digest");
    let of_detail = details.map(|column| (column.cell)(&live.detail));
    for (place, (cell, found)) in cells.iter_mut().zip(of_session.chain(of_detail)).enumerate() {
        *cell = match found {
            Cell::Empty => Value::Empty,
            Cell::Number(number) => Value::Number(number),
            Cell::Text(text) => Value::Text(clean(if place == STATEMENT { beginning(text) } else { text }).into()),
        };
    }
    cells
}

fn template_of(live: &LiveSession) -> Value {
    let statement = live.session.statement.as_deref();
    statement.map_or(Value::Empty, |statement| Value::Text(clean(&template(beginning(statement))).into()))
}

/// What the list keeps of a statement, without a character that was cut in two.
fn beginning(statement: &[u8]) -> &[u8] {
    let cut = statement.get(..STATEMENT_KEPT).unwrap_or(statement);
    match std::str::from_utf8(cut) {
        Err(error) if error.error_len().is_none() => cut.get(..error.valid_up_to()).unwrap_or(cut),
        _ => cut,
    }
}

fn set(cells: &mut [Value; COUNT], place: usize, value: Value) {
    if let Some(cell) = cells.get_mut(place) {
        *cell = value;
    }
}

fn write_text(out: &mut String, text: Option<&str>) {
    // A text has no form that JSON could not write.
    let text = text.and_then(|text| crate::json::to_string(text).ok());
    out.push_str(text.as_deref().unwrap_or("null"));
}
