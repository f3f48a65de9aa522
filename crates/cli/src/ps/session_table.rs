//! Formats sessions as a table that fits the terminal width.

use std::io::{self, Write};

use anstyle::{AnsiColor, Effects, Style};
use clew_diagnose::lock_waits::is_lock_wait_state;
use clew_diagnose::terminal::{bytes_to_single_line, display_width, truncate_to_width};
use clew_model::ClientAddressFilter;
use clew_mysql::Snapshot;

use crate::output::{OutputWriter, stdout_supports_colors, terminal_width};
use crate::snapshot::SnapshotRow;

/// Heading, maximum width and minimum width of each column except the statement column.
const TABLE_COLUMNS: [(&str, usize, usize); 7] = [
    ("ID", 20, 20),
    ("USER", 24, 8),
    ("HOST", 24, 9),
    ("DB", 24, 6),
    ("COMMAND", 16, 7),
    ("TIME", 10, 10),
    ("STATE", 28, 14),
];
/// Right-aligned columns.
const NUMERIC_COLUMNS: [&str; 2] = ["ID", "TIME"];
const COLUMN_GAP_WIDTH: usize = 2;
/// Minimum width of the statement column, unless all other columns are already at their minimum width.
const MIN_STATEMENT_COLUMN_WIDTH: usize = 24;

struct SessionTableLine {
    cells: [String; TABLE_COLUMNS.len()],
    statement: String,
    is_waiting: bool,
}

pub(super) fn write_table(snapshot: &mut Snapshot, out: &mut OutputWriter) -> io::Result<()> {
    let width = terminal_width();
    let lines = build_table_lines(snapshot, width)?;
    let widths = compute_column_widths(&lines, width);
    let colors = stdout_supports_colors();
    let style = |style: Style| if colors { style } else { Style::new() };
    let heading = SessionTableLine {
        cells: TABLE_COLUMNS.map(|(name, ..)| name.to_owned()),
        statement: "STATEMENT".into(),
        is_waiting: false,
    };
    write_table_line(out, &heading, &widths, width, style(Style::new().effects(Effects::BOLD)))?;
    for line in &lines {
        let red = Style::new().fg_color(Some(AnsiColor::Red.into()));
        write_table_line(out, line, &widths, width, if line.is_waiting { style(red) } else { Style::new() })?;
    }
    let summary = &snapshot.summary;
    let version = bytes_to_single_line(summary.server_version.as_bytes());
    writeln!(out, "\n{} sessions on {} {version}", summary.rows, summary.server_flavor)?;
    match lines.iter().filter(|line| line.is_waiting).count() {
        0 => Ok(()),
        1 => writeln!(out, "1 session waits for a lock: run clew locks to see its blocker"),
        many => writeln!(out, "{many} sessions wait for a lock: run clew locks to see the blockers"),
    }
}

fn build_table_lines(snapshot: &mut Snapshot, width: usize) -> io::Result<Vec<SessionTableLine>> {
    let mut lines = Vec::new();
    for index in 0..usize::try_from(snapshot.summary.rows).unwrap_or(usize::MAX) {
        let mut row = Vec::new();
        snapshot.body.write_row_range(index, 1, &mut row)?;
        lines.push(format_session_row(serde_json::from_slice(&row)?, width));
    }
    Ok(lines)
}

fn format_session_row(row: SnapshotRow, width: usize) -> SessionTableLine {
    let text = |text: Option<String>| bytes_to_single_line(text.unwrap_or_default().as_bytes());
    let has_no_state = row.execution_status.as_deref().is_none_or(str::is_empty);
    let state = match row.execution_status {
        // The server reports no state, but an idle session with an open transaction can block others.
        _ if has_no_state && row.transaction_status.is_some() => "in transaction".to_owned(),
        state => state.unwrap_or_default(),
    };
    let is_waiting = row.transaction_status.as_deref() == Some("LOCK WAIT") || is_lock_wait_state(state.as_bytes());
    let statement = row.sql_statement.unwrap_or_default();
    // Process only the start of a statement, because a statement can be megabytes long.
    let head: String = statement.chars().take(width * 4).collect();
    SessionTableLine {
        cells: [
            row.session_id.to_string(),
            text(Some(row.user)),
            // Omit the client port.
            text(Some(ClientAddressFilter::parse(&row.host).host)),
            text(row.database_name),
            text(Some(row.command)),
            row.state_duration.to_string(),
            // Omit the prefix to leave room for the rest of the state.
            bytes_to_single_line(state.strip_prefix("Waiting for ").unwrap_or(&state).as_bytes()),
        ],
        statement: bytes_to_single_line(head.as_bytes()),
        is_waiting,
    }
}

/// Repeatedly narrows the widest column until the statement column has at least its minimum width.
fn compute_column_widths(lines: &[SessionTableLine], width: usize) -> [usize; TABLE_COLUMNS.len()] {
    let mut widths = TABLE_COLUMNS.map(|(name, ..)| name.len());
    for line in lines {
        for ((width, cell), (_, max, _)) in widths.iter_mut().zip(&line.cells).zip(TABLE_COLUMNS) {
            *width = (*width).max(display_width(cell)).min(max);
        }
    }
    while widths.iter().map(|width| width + COLUMN_GAP_WIDTH).sum::<usize>() + MIN_STATEMENT_COLUMN_WIDTH > width {
        let shrinkable = widths.iter_mut().zip(TABLE_COLUMNS).filter(|(width, (.., min))| **width > *min);
        let Some((widest, _)) = shrinkable.max_by_key(|(width, _)| **width) else { break };
        *widest -= 1;
    }
    widths
}

fn write_table_line(
    out: &mut OutputWriter,
    line: &SessionTableLine,
    widths: &[usize; TABLE_COLUMNS.len()],
    width: usize,
    style: Style,
) -> io::Result<()> {
    let mut text = String::new();
    for ((cell, &width), (name, ..)) in line.cells.iter().zip(widths).zip(TABLE_COLUMNS) {
        let cell = truncate_to_width(cell, width);
        let padding = " ".repeat(width.saturating_sub(display_width(&cell)));
        let gap = " ".repeat(COLUMN_GAP_WIDTH);
        let is_numeric = NUMERIC_COLUMNS.contains(&name);
        text.extend(if is_numeric { [&*padding, &*cell, &*gap] } else { [&*cell, &*padding, &*gap] });
    }
    text.push_str(&line.statement);
    writeln!(out, "{style}{}{style:#}", truncate_to_width(text.trim_end(), width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: [&str; TABLE_COLUMNS.len()]) -> SessionTableLine {
        SessionTableLine { cells: cells.map(str::to_owned), statement: String::new(), is_waiting: false }
    }

    #[test]
    fn columns_shrink_to_their_minimum_for_the_statement() {
        let short = line(["7", "app", "10.0.0.7", "shop", "Query", "3", "executing"]);
        assert_eq!(compute_column_widths(&[short], 120), [2, 4, 8, 4, 7, 4, 9]);
        let long = line(["12345678", &"u".repeat(40), &"h".repeat(40), &"d".repeat(40), "Query", "3", &"s".repeat(40)]);
        let narrow = compute_column_widths(&[long], 80);
        assert_eq!(narrow, [8, 8, 9, 6, 7, 4, 14]);
        assert_eq!(compute_column_widths(&[line(["1", "a", "b", "c", "d", "2", &"s".repeat(40)])], 80)[6], 19);
    }
}
