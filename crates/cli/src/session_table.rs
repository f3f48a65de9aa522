//! Formats sessions as a table with one line per session, for `clew ps` and `clew snapshot`.

use std::io::{self, Write};

use anstyle::{AnsiColor, Effects, Style};
use clew_diagnose::lock_waits::is_lock_wait_state;
use clew_diagnose::terminal::{bytes_to_single_line, display_width, truncate_to_width};
use clew_model::ClientAddressFilter;
use clew_mysql::Snapshot;
use serde_json::{Map, Value};

use crate::output::{OutputWriter, stdout_is_terminal, stdout_supports_colors, terminal_width};

/// The statement column is not a `TableColumn`, because it fills the remaining width.
struct TableColumn {
    key: &'static str,
    heading: &'static str,
    is_number: bool,
    min_width: usize,
    max_width: usize,
}

const PS_COLUMNS: [TableColumn; 7] = [
    number_column("session_id", "ID"),
    text_column("user", "USER", 8, 24),
    text_column("host", "HOST", 9, 24),
    text_column("database_name", "DB", 6, 24),
    text_column("command", "COMMAND", 7, 16),
    number_column("state_duration", "TIME"),
    text_column("execution_status", "STATE", 14, 28),
];
const SNAPSHOT_COLUMNS: [TableColumn; 10] = [
    number_column("session_id", "ID"),
    text_column("user", "USER", 28, 28),
    text_column("host", "HOST", 28, 28),
    text_column("database_name", "DB", 28, 28),
    text_column("command", "COMMAND", 28, 28),
    number_column("state_duration", "TIME"),
    text_column("execution_status", "STATE", 28, 28),
    number_column("transaction_duration", "TRX"),
    number_column("transaction_lock_wait_time", "WAIT"),
    number_column("rows_locked_by_transactions", "LOCKED"),
];
const DETAIL_COLUMNS: [TableColumn; 5] = [
    text_column("program_name", "PROGRAM", 28, 28),
    number_column("blocker_id", "BLOCKER"),
    number_column("root_blocker_id", "ROOT"),
    text_column("waits_for", "WAITS FOR", 28, 28),
    text_column("statement_digest", "DIGEST", 28, 28),
];

const COLUMN_GAP_WIDTH: usize = 2;
const PREFERRED_STATEMENT_WIDTH: usize = 24;
const MIN_SNAPSHOT_STATEMENT_WIDTH: usize = 20;
const DEFAULT_STATEMENT_WIDTH: usize = 80;
const MAX_DISPLAYED_DIGEST_CHARS: usize = 8;

const fn text_column(key: &'static str, heading: &'static str, min_width: usize, max_width: usize) -> TableColumn {
    TableColumn { key, heading, is_number: false, min_width, max_width }
}

const fn number_column(key: &'static str, heading: &'static str) -> TableColumn {
    TableColumn { is_number: true, ..text_column(key, heading, 20, 20) }
}

struct SessionTable {
    columns: Vec<TableColumn>,
    /// Lines can be wider, because the statement column has a minimum width.
    width: usize,
    min_statement_width: usize,
    /// Omits client ports and the prefix `Waiting for ` of session states.
    is_compact: bool,
    colors: bool,
}

struct SessionTableLine {
    cells: Vec<String>,
    statement: String,
    is_waiting: bool,
}

pub(crate) fn write_ps_table(snapshot: &mut Snapshot, out: &mut OutputWriter) -> io::Result<()> {
    let table = SessionTable {
        columns: PS_COLUMNS.into(),
        width: terminal_width(),
        min_statement_width: 0,
        is_compact: true,
        colors: stdout_supports_colors(),
    };
    match table.write(snapshot, out)? {
        0 => Ok(()),
        1 => writeln!(out, "1 session waits for a lock: run clew locks to see its blocker"),
        many => writeln!(out, "{many} sessions wait for a lock: run clew locks to see the blockers"),
    }
}

pub(crate) fn write_snapshot_table(snapshot: &mut Snapshot, detailed: bool, out: &mut OutputWriter) -> io::Result<()> {
    let is_terminal = out.is_terminal();
    let (width, min_statement_width) = if is_terminal && stdout_is_terminal() {
        (terminal_width(), MIN_SNAPSHOT_STATEMENT_WIDTH)
    } else {
        (0, DEFAULT_STATEMENT_WIDTH)
    };
    let details = DETAIL_COLUMNS.into_iter().filter(|_| detailed);
    let columns = SNAPSHOT_COLUMNS.into_iter().chain(details).collect();
    let colors = is_terminal && stdout_supports_colors();
    SessionTable { columns, width, min_statement_width, is_compact: false, colors }.write(snapshot, out)?;
    Ok(())
}

impl SessionTable {
    /// Returns the number of waiting sessions; `snapshot` must be in JSON format.
    fn write(&self, snapshot: &mut Snapshot, out: &mut OutputWriter) -> io::Result<usize> {
        let mut lines = Vec::new();
        for index in 0..usize::try_from(snapshot.summary.rows).unwrap_or(usize::MAX) {
            let mut row = Vec::new();
            snapshot.body.write_row_range(index, 1, &mut row)?;
            lines.push(self.build_line(&serde_json::from_slice(&row)?));
        }
        let widths = compute_column_widths(&self.columns, &lines, self.width);
        let others: usize = widths.iter().map(|width| width + COLUMN_GAP_WIDTH).sum();
        let width = self.width.max(others + self.min_statement_width);
        let heading = SessionTableLine {
            cells: self.columns.iter().map(|column| column.heading.to_owned()).collect(),
            statement: "STATEMENT".to_owned(),
            is_waiting: false,
        };
        let (bold, red) = (Style::new().effects(Effects::BOLD), Style::new().fg_color(Some(AnsiColor::Red.into())));
        self.write_line(out, &heading, &widths, width, bold)?;
        for line in &lines {
            self.write_line(out, line, &widths, width, if line.is_waiting { red } else { Style::new() })?;
        }
        let summary = &snapshot.summary;
        let version = bytes_to_single_line(summary.server_version.as_bytes());
        writeln!(out, "\n{} sessions on {} {version}", summary.rows, summary.server_flavor)?;
        Ok(lines.iter().filter(|line| line.is_waiting).count())
    }

    fn build_line(&self, row: &Map<String, Value>) -> SessionTableLine {
        let value = |key: &str| match row.get(key) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(number) => number.to_string(),
        };
        let (state, transaction_status) = (value("execution_status"), value("transaction_status"));
        let cell = |column: &TableColumn| {
            let text = match column.key {
                "host" if self.is_compact => ClientAddressFilter::parse(&value("host")).host,
                // The server reports no state, but an idle session with an open transaction can block others.
                "execution_status" if self.is_compact && state.is_empty() && !transaction_status.is_empty() => {
                    "in transaction".to_owned()
                }
                // Omit the prefix to leave room for the rest of the state.
                "execution_status" if self.is_compact => {
                    state.strip_prefix("Waiting for ").unwrap_or(&state).to_owned()
                }
                "statement_digest" => value(column.key).chars().take(MAX_DISPLAYED_DIGEST_CHARS).collect(),
                key => value(key),
            };
            truncate_to_single_line(&text, column.max_width)
        };
        SessionTableLine {
            cells: self.columns.iter().map(cell).collect(),
            statement: truncate_to_single_line(&value("sql_statement"), self.width.max(DEFAULT_STATEMENT_WIDTH)),
            is_waiting: transaction_status == "LOCK WAIT"
                || is_lock_wait_state(state.as_bytes())
                || !value("waits_for").is_empty(),
        }
    }

    fn write_line(
        &self,
        out: &mut OutputWriter,
        line: &SessionTableLine,
        widths: &[usize],
        width: usize,
        style: Style,
    ) -> io::Result<()> {
        let mut text = String::new();
        for ((cell, &width), column) in line.cells.iter().zip(widths).zip(&self.columns) {
            let cell = truncate_to_width(cell, width);
            let padding = " ".repeat(width.saturating_sub(display_width(&cell)));
            let gap = " ".repeat(COLUMN_GAP_WIDTH);
            text.extend(if column.is_number { [&*padding, &*cell, &*gap] } else { [&*cell, &*padding, &*gap] });
        }
        text.push_str(&line.statement);
        let style = if self.colors { style } else { Style::new() };
        writeln!(out, "{style}{}{style:#}", truncate_to_width(text.trim_end(), width))
    }
}

/// Narrows the widest columns until the statement column is at least [`PREFERRED_STATEMENT_WIDTH`] wide.
/// Columns with equal minimum and maximum widths, such as the columns of `clew snapshot`, keep their width.
fn compute_column_widths(columns: &[TableColumn], lines: &[SessionTableLine], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.heading.len()).collect();
    for line in lines {
        for ((width, cell), column) in widths.iter_mut().zip(&line.cells).zip(columns) {
            *width = (*width).max(display_width(cell)).min(column.max_width);
        }
    }
    while widths.iter().map(|width| width + COLUMN_GAP_WIDTH).sum::<usize>() + PREFERRED_STATEMENT_WIDTH > width {
        let shrinkable = widths.iter_mut().zip(columns).filter(|(width, column)| **width > column.min_width);
        let Some((widest, _)) = shrinkable.max_by_key(|(width, _)| **width) else { break };
        *widest -= 1;
    }
    widths
}

fn truncate_to_single_line(text: &str, width: usize) -> String {
    // Process only the start of the text, because a statement can be megabytes long.
    // The limit is larger than the width, because `bytes_to_single_line` collapses white space.
    let head: String = text.chars().take(8 * width).collect();
    truncate_to_width(&bytes_to_single_line(head.as_bytes()), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: [&str; PS_COLUMNS.len()]) -> SessionTableLine {
        SessionTableLine { cells: cells.map(str::to_owned).into(), statement: String::new(), is_waiting: false }
    }

    #[test]
    fn columns_shrink_to_their_minimum_for_the_statement() {
        let widths = |cells, width| compute_column_widths(&PS_COLUMNS, &[line(cells)], width);
        assert_eq!(widths(["7", "app", "10.0.0.7", "shop", "Query", "3", "executing"], 120), [2, 4, 8, 4, 7, 4, 9]);
        let long = ["12345678", &"u".repeat(40), &"h".repeat(40), &"d".repeat(40), "Query", "3", &"s".repeat(40)];
        assert_eq!(widths(long, 80), [8, 8, 9, 6, 7, 4, 14]);
        assert_eq!(widths(["1", "a", "b", "c", "d", "2", &"s".repeat(40)], 80)[6], 19);
    }
}
