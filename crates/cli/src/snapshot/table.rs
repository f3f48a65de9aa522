//! Renders a snapshot as a table with one line per session.

use std::io::{self, Write};

use clew_diagnose::terminal::{self, truncate_to_width};
use clew_model::{SESSION_DETAIL_COLUMNS, SESSION_SNAPSHOT_COLUMNS};
use clew_mysql::Snapshot;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use crate::output::{OutputWriter, stdout_supports_colors};

/// Column of the table: key of the snapshot column, heading, and whether the column contains numbers.
type TableColumn = (&'static str, &'static str, bool);

const TABLE_COLUMNS: [TableColumn; 10] = [
    ("session_id", "ID", true),
    ("user", "USER", false),
    ("host", "HOST", false),
    ("database_name", "DB", false),
    ("command", "COMMAND", false),
    ("state_duration", "TIME", true),
    ("execution_status", "STATE", false),
    ("transaction_duration", "TRX", true),
    ("transaction_lock_wait_time", "WAIT", true),
    ("rows_locked_by_transactions", "LOCKED", true),
];
const DETAIL_COLUMNS: [TableColumn; 5] = [
    ("program_name", "PROGRAM", false),
    ("blocker_id", "BLOCKER", true),
    ("root_blocker_id", "ROOT", true),
    ("waits_for", "WAITS FOR", false),
    (DIGEST_COLUMN_KEY, "DIGEST", false),
];
/// The statement column is the last column and fills the remaining terminal width.
const STATEMENT_COLUMN: TableColumn = (STATEMENT_COLUMN_KEY, "STATEMENT", false);
const STATEMENT_COLUMN_KEY: &str = "sql_statement";
/// The table shows only a prefix of the statement digest.
const DIGEST_COLUMN_KEY: &str = "statement_digest";
const MAX_DISPLAYED_DIGEST_CHARS: usize = 8;
/// Maximum width of a cell outside the statement column.
const MAX_CELL_WIDTH: usize = 28;
/// Width of the statement column if the terminal width is unknown.
const DEFAULT_STATEMENT_COLUMN_WIDTH: usize = 80;
const MIN_STATEMENT_COLUMN_WIDTH: usize = 20;
const COLUMN_PADDING_WIDTH: usize = 2;

type Line = Vec<String>;

pub(crate) fn write_table(snapshot: &mut Snapshot, detailed: bool, out: &mut OutputWriter) -> io::Result<()> {
    let to_terminal = out.is_terminal();
    let colors = to_terminal && stdout_supports_colors();
    let columns = select_columns(detailed);
    let (lines, waiting) = build_table_lines(snapshot, &columns)?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let terminal = if to_terminal { table.width().map(usize::from) } else { None };
    let width = terminal
        .map_or(DEFAULT_STATEMENT_COLUMN_WIDTH, |terminal| compute_statement_column_width(&lines, &columns, terminal));
    let heading = |heading: &str| {
        let cell = Cell::new(heading);
        if colors { cell.add_attribute(Attribute::Bold) } else { cell }
    };
    table.set_header(columns.iter().map(|&(_, name, _)| heading(name)));
    for (line, is_waiting) in lines.into_iter().zip(waiting) {
        table.add_row(build_row_cells(line, &columns, width, is_waiting && colors));
    }
    for (column, (.., is_number)) in table.column_iter_mut().zip(&columns) {
        column.set_cell_alignment(if *is_number { CellAlignment::Right } else { CellAlignment::Left });
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    let summary = &snapshot.summary;
    let version = terminal::bytes_to_single_line(summary.server_version.as_bytes());
    writeln!(out, "\n{} sessions on {} {version}", summary.rows, summary.server_flavor)
}

fn select_columns(detailed: bool) -> Vec<TableColumn> {
    let detail_columns = DETAIL_COLUMNS.into_iter().filter(|_| detailed);
    TABLE_COLUMNS.into_iter().chain(detail_columns).chain([STATEMENT_COLUMN]).collect()
}

/// Returns the rows of the table and, for each row, whether its session waits for a lock.
fn build_table_lines(snapshot: &mut Snapshot, columns: &[TableColumn]) -> io::Result<(Vec<Line>, Vec<bool>)> {
    let keys: Vec<&str> = SESSION_SNAPSHOT_COLUMNS
        .iter()
        .map(|column| column.key)
        .chain(SESSION_DETAIL_COLUMNS.iter().map(|column| column.key))
        .collect();
    let mut body = Vec::new();
    snapshot.body.write_to(&mut body)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(body.as_slice());
    let mut lines = Vec::new();
    let mut waiting = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(io::Error::other)?;
        let value = |key: &str| {
            let index = keys.iter().position(|other| *other == key).unwrap_or_default();
            String::from_utf8_lossy(record.get(index).unwrap_or_default())
        };
        let cell = |&(key, ..): &TableColumn| match key {
            STATEMENT_COLUMN_KEY => truncate_to_single_line(&value(key), 4 * DEFAULT_STATEMENT_COLUMN_WIDTH),
            DIGEST_COLUMN_KEY => {
                truncate_to_single_line(&value(key), MAX_CELL_WIDTH).chars().take(MAX_DISPLAYED_DIGEST_CHARS).collect()
            }
            _ => truncate_to_single_line(&value(key), MAX_CELL_WIDTH),
        };
        lines.push(columns.iter().map(cell).collect());
        waiting.push(value("transaction_status") == "LOCK WAIT" || !value("waits_for").is_empty());
    }
    Ok((lines, waiting))
}

fn compute_statement_column_width(lines: &[Line], columns: &[TableColumn], terminal: usize) -> usize {
    let widest = |column: usize| {
        let cells = lines.iter().filter_map(|line| Some(line.get(column)?.chars().count())).max().unwrap_or(0);
        cells.max(columns.get(column).map_or(0, |(_, heading, _)| heading.len())) + COLUMN_PADDING_WIDTH
    };
    let others: usize = (0..columns.len().saturating_sub(1)).map(widest).sum();
    terminal.saturating_sub(others + COLUMN_PADDING_WIDTH).max(MIN_STATEMENT_COLUMN_WIDTH)
}

fn build_row_cells(line: Line, columns: &[TableColumn], statement_width: usize, is_highlighted: bool) -> Vec<Cell> {
    line.into_iter()
        .zip(columns)
        .map(|(text, &(key, ..))| {
            let text = if key == STATEMENT_COLUMN_KEY { truncate_to_single_line(&text, statement_width) } else { text };
            let cell = Cell::new(text);
            if is_highlighted { cell.fg(Color::Red) } else { cell }
        })
        .collect()
}

fn truncate_to_single_line(text: &str, width: usize) -> String {
    // The limit is larger than the width, because `bytes_to_single_line` collapses white space.
    let head: String = text.chars().take(8 * width).collect();
    truncate_to_width(&terminal::bytes_to_single_line(head.as_bytes()), width)
}
