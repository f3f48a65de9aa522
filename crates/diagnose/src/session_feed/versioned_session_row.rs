//! Cells of a session in the session feed. Each cell stores the feed version of its last change.

use std::fmt::Write;

use clew_model::{Cell, SESSION_DETAIL_COLUMNS, SESSION_SNAPSHOT_COLUMNS, Session, SessionRow};

use super::{DURATION_COLUMN_INDEXES, MAX_STATEMENT_BYTES, SampledSession};
use crate::template::build_statement_template;
use crate::utf8::bytes_to_text;

const USER_COLUMN_INDEX: usize = 1;
const HOST_COLUMN_INDEX: usize = 2;
const STATE_COLUMN_INDEX: usize = 4;
const COMMAND_COLUMN_INDEX: usize = 5;
pub(super) const STATEMENT_COLUMN_INDEX: usize = 6;
const STATE_DURATION_COLUMN_INDEX: usize = 7;
pub(super) const WAITS_FOR_COLUMN_INDEX: usize = 16;
pub(super) const SQL_TEMPLATE_COLUMN_INDEX: usize = 19;
pub(super) const COLUMN_COUNT: usize = 20;

const MAX_CELLS_PER_ROW_DELTA: usize = COLUMN_COUNT / 2;
/// Servers report durations in whole seconds.
const DURATION_TOLERANCE_MILLIS: i64 = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
enum CellValue {
    Empty,
    Number(u64),
    Text(Box<str>),
}

#[derive(Debug)]
pub(super) struct VersionedSessionRow {
    added_version: u32,
    pub(super) changed_version: u32,
    cells: [CellValue; COLUMN_COUNT],
    cell_versions: [u32; COLUMN_COUNT],
    /// Sample time of each stored duration, in the order of [`DURATION_COLUMN_INDEXES`].
    sampled_at_millis: [i64; DURATION_COLUMN_INDEXES.len()],
    waits_for_masked: Option<Box<str>>,
}

impl VersionedSessionRow {
    pub(super) fn new(version: u32, at: i64, sample: &SampledSession) -> Self {
        Self {
            added_version: version,
            changed_version: version,
            cells: build_session_cells(sample, None),
            cell_versions: [version; COLUMN_COUNT],
            sampled_at_millis: [at; DURATION_COLUMN_INDEXES.len()],
            waits_for_masked: sample.masked_waits_for.as_deref().map(Box::from),
        }
    }

    /// Servers can reuse session ids.
    pub(super) fn is_same_session(&self, session: &Session) -> bool {
        let same = |at: usize, text: &[u8]| matches!(self.cells.get(at), Some(CellValue::Text(stored)) if **stored == *bytes_to_text(text));
        // During a login, servers list `unauthenticated user` or, rarely, other text as the account.
        same(HOST_COLUMN_INDEX, &session.host)
            && (same(USER_COLUMN_INDEX, &session.user) || same(COMMAND_COLUMN_INDEX, b"Connect"))
    }

    pub(super) fn apply_sample(&mut self, version: u32, at: i64, sample: &SampledSession) {
        let new_cells = build_session_cells(sample, Some(&self.cells));
        let differs = |column: usize| self.cells.get(column) != new_cells.get(column);
        // A new state, command or statement restarts the duration, even if the duration has the expected value.
        let restarted = [STATE_COLUMN_INDEX, COMMAND_COLUMN_INDEX, STATEMENT_COLUMN_INDEX].into_iter().any(differs);
        let columns = self.cells.iter_mut().zip(&mut self.cell_versions).zip(new_cells).enumerate();
        for (column, ((old, changed), new)) in columns {
            let sampled_at = match DURATION_COLUMN_INDEXES.iter().position(|running| *running == column) {
                Some(index) => self.sampled_at_millis.get_mut(index),
                None => None,
            };
            let is_expected = match (&sampled_at, &*old, &new) {
                (Some(sampled_at), CellValue::Number(old), CellValue::Number(new)) => {
                    !(restarted && column == STATE_DURATION_COLUMN_INDEX)
                        && is_within_duration_tolerance(*old, at - **sampled_at, *new)
                }
                (_, old, new) => old == new,
            };
            if is_expected {
                continue;
            }
            *old = new;
            *changed = version;
            self.changed_version = version;
            if let Some(sampled_at) = sampled_at {
                *sampled_at = at;
            }
        }
        self.waits_for_masked = sample.masked_waits_for.as_deref().map(Box::from);
    }

    /// Extrapolates durations from their sample times to `at`, a Unix timestamp in milliseconds.
    pub(super) fn write_full_row(&self, out: &mut String, at: i64, masked: bool) {
        for column in 0..COLUMN_COUNT {
            out.push(if column == 0 { '[' } else { ',' });
            self.write_column_value(out, column, at, masked);
        }
        out.push(']');
    }

    pub(super) fn write_row_delta(&self, out: &mut String, version: u32, at: i64, masked: bool) {
        let changed = || self.cell_versions.iter().enumerate().filter(|(_, changed)| **changed > version);
        if self.added_version > version || changed().count() > MAX_CELLS_PER_ROW_DELTA {
            return self.write_full_row(out, at, masked);
        }
        for (number, (column, _)) in changed().enumerate() {
            let _ = write!(out, "{}\"{column}\":", if number == 0 { '{' } else { ',' });
            self.write_column_value(out, column, at, masked);
        }
        out.push('}');
    }

    fn write_column_value(&self, out: &mut String, column: usize, at: i64, masked: bool) {
        let source = if masked && column == STATEMENT_COLUMN_INDEX { SQL_TEMPLATE_COLUMN_INDEX } else { column };
        if masked && column == WAITS_FOR_COLUMN_INDEX {
            return write_json_string(out, self.waits_for_masked.as_deref());
        }
        match self.cells.get(source) {
            None | Some(CellValue::Empty) => out.push_str("null"),
            Some(CellValue::Text(text)) => write_json_string(out, Some(&**text)),
            Some(CellValue::Number(number)) => {
                let running = DURATION_COLUMN_INDEXES.iter().position(|running| *running == column);
                let passed = running
                    .and_then(|index| self.sampled_at_millis.get(index))
                    .map_or(0, |sampled_at| (at - sampled_at) / 1000);
                let _ = write!(out, "{}", number.saturating_add_signed(passed));
            }
        }
    }
}

/// `old` and `new` are durations from two samples, in seconds. `passed` is the time between the samples, in milliseconds.
fn is_within_duration_tolerance(old: u64, passed: i64, new: u64) -> bool {
    let to_millis = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    to_millis(new).saturating_sub(to_millis(old)).saturating_sub(passed).abs() <= DURATION_TOLERANCE_MILLIS
}

fn build_session_cells(
    sample: &SampledSession,
    previous: Option<&[CellValue; COLUMN_COUNT]>,
) -> [CellValue; COLUMN_COUNT] {
    let row = SessionRow { session: &sample.session, transaction: sample.transaction.as_ref() };
    let mut cells = [const { CellValue::Empty }; COLUMN_COUNT];
    let of_session = SESSION_SNAPSHOT_COLUMNS.iter().map(|column| (column.cell)(&row));
    let details = SESSION_DETAIL_COLUMNS.iter().filter(|column| column.key != "statement_digest");
    let of_detail = details.map(|column| (column.cell)(&sample.detail));
    for (column, (cell, value)) in cells.iter_mut().zip(of_session.chain(of_detail)).enumerate() {
        *cell = match value {
            Cell::Empty => CellValue::Empty,
            Cell::Number(number) => CellValue::Number(number),
            Cell::Text(text) => CellValue::Text(
                bytes_to_text(if column == STATEMENT_COLUMN_INDEX { truncate_statement(text) } else { text }).into(),
            ),
        };
    }
    let unchanged =
        previous.filter(|cells_before| cells_before.get(STATEMENT_COLUMN_INDEX) == cells.get(STATEMENT_COLUMN_INDEX));
    let template = unchanged.and_then(|cells_before| cells_before.get(SQL_TEMPLATE_COLUMN_INDEX).cloned());
    if let Some(cell) = cells.get_mut(SQL_TEMPLATE_COLUMN_INDEX) {
        *cell = template.unwrap_or_else(|| build_sql_template_cell(sample));
    }
    cells
}

fn build_sql_template_cell(sample: &SampledSession) -> CellValue {
    let statement = sample.session.statement.as_deref();
    statement.map_or(CellValue::Empty, |statement| {
        CellValue::Text(bytes_to_text(&build_statement_template(truncate_statement(statement))).into())
    })
}

fn truncate_statement(statement: &[u8]) -> &[u8] {
    let truncated = statement.get(..MAX_STATEMENT_BYTES).unwrap_or(statement);
    match std::str::from_utf8(truncated) {
        Err(error) if error.error_len().is_none() => truncated.get(..error.valid_up_to()).unwrap_or(truncated),
        _ => truncated,
    }
}

fn write_json_string(out: &mut String, text: Option<&str>) {
    // Serializing a string cannot fail.
    let text = text.and_then(|text| crate::json::to_string(text).ok());
    out.push_str(text.as_deref().unwrap_or("null"));
}
