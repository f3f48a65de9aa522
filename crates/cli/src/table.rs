//! A snapshot as a table for eyes: the columns that matter first, one line a session.

use std::io::{self, Write};

use clew_diagnose::terminal::{self, cut};
use clew_model::{COLUMNS, DETAIL_COLUMNS};
use clew_mysql::Snapshot;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use crate::output::{Output, stdout_has_colours};

/// A column that is shown: its key in the column table, its heading, and whether it is a number.
type Shown = (&'static str, &'static str, bool);

/// Columns of every table, but the statement.
const SHOWN: [Shown; 10] = [
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
/// Columns of a detailed table besides.
const SHOWN_IN_DETAIL: [Shown; 5] = [
    ("program_name", "PROGRAM", false),
    ("blocker_id", "BLOCKER", true),
    ("root_blocker_id", "ROOT", true),
    ("waits_for", "WAITS FOR", false),
    (DIGEST, "DIGEST", false),
];
/// The last column, which takes the room that is left.
const LAST: Shown = (STATEMENT, "STATEMENT", false);
const STATEMENT: &str = "sql_statement";
/// The column of which the first letters tell one from another.
const DIGEST: &str = "statement_digest";
const DIGEST_LETTERS: usize = 8;
/// Longest text of a cell but the statement.
const CELL_WIDTH: usize = 28;
/// Width of the statement where the terminal's width is not known.
const STATEMENT_WIDTH: usize = 80;
/// Narrowest statement, however narrow the terminal.
const LEAST_STATEMENT_WIDTH: usize = 20;
/// Blanks that the table puts around each column.
const PADDING: usize = 2;

type Line = Vec<String>;

/// Writes the table, then a line that counts.
pub(crate) fn write(snapshot: &mut Snapshot, detailed: bool, out: &mut Output) -> io::Result<()> {
    let to_terminal = matches!(out, Output::Terminal { .. });
    let colours = to_terminal && stdout_has_colours();
    let shown = shown(detailed);
    let (lines, waiting) = read_lines(snapshot, &shown)?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let terminal = if to_terminal { table.width().map(usize::from) } else { None };
    let width = terminal.map_or(STATEMENT_WIDTH, |terminal| statement_width(&lines, &shown, terminal));
    table.set_header(shown.iter().map(|&(_, heading, number)| heading_cell(heading, number, colours)));
    for (line, waits) in lines.into_iter().zip(waiting) {
        table.add_row(cells(line, &shown, width, waits && colours));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    let summary = &snapshot.summary;
    let version = terminal::one_line(summary.server_version.as_bytes());
    writeln!(out, "\n{} sessions on {} {version}", summary.rows, summary.server_flavor)
}

fn shown(detailed: bool) -> Vec<Shown> {
    let in_detail = SHOWN_IN_DETAIL.into_iter().filter(|_| detailed);
    SHOWN.into_iter().chain(in_detail).chain([LAST]).collect()
}

/// The shown cells of every row, and whether the row waits for a lock.
fn read_lines(snapshot: &mut Snapshot, shown: &[Shown]) -> io::Result<(Vec<Line>, Vec<bool>)> {
    let keys: Vec<&str> =
        COLUMNS.iter().map(|column| column.key).chain(DETAIL_COLUMNS.iter().map(|column| column.key)).collect();
    let mut body = Vec::new();
    snapshot.body.write_to(&mut body)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(body.as_slice());
    let mut lines = Vec::new();
    let mut waiting = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(io::Error::other)?;
        let value = |key: &str| {
            let at = keys.iter().position(|known| *known == key).unwrap_or_default();
            String::from_utf8_lossy(record.get(at).unwrap_or_default())
        };
        let cell = |&(key, ..): &Shown| match key {
            STATEMENT => one_line(&value(key), 4 * STATEMENT_WIDTH),
            DIGEST => one_line(&value(key), CELL_WIDTH).chars().take(DIGEST_LETTERS).collect(),
            _ => one_line(&value(key), CELL_WIDTH),
        };
        lines.push(shown.iter().map(cell).collect());
        waiting.push(value("transaction_status") == "LOCK WAIT" || !value("waits_for").is_empty());
    }
    Ok((lines, waiting))
}

/// What the other columns leave of the terminal.
fn statement_width(lines: &[Line], shown: &[Shown], terminal: usize) -> usize {
    let widest = |column: usize| {
        let cells = lines.iter().filter_map(|line| Some(line.get(column)?.chars().count())).max().unwrap_or(0);
        cells.max(shown.get(column).map_or(0, |(_, heading, _)| heading.len())) + PADDING
    };
    let others: usize = (0..shown.len().saturating_sub(1)).map(widest).sum();
    terminal.saturating_sub(others + PADDING).max(LEAST_STATEMENT_WIDTH)
}

fn heading_cell(heading: &str, number: bool, colours: bool) -> Cell {
    let cell = Cell::new(heading).set_alignment(alignment(number));
    if colours { cell.add_attribute(Attribute::Bold) } else { cell }
}

fn cells(line: Line, shown: &[Shown], statement_width: usize, red: bool) -> Vec<Cell> {
    line.into_iter()
        .zip(shown)
        .map(|(text, &(key, _, number))| {
            let text = if key == STATEMENT { one_line(&text, statement_width) } else { text };
            let cell = Cell::new(text).set_alignment(alignment(number));
            if red { cell.fg(Color::Red) } else { cell }
        })
        .collect()
}

fn alignment(number: bool) -> CellAlignment {
    if number { CellAlignment::Right } else { CellAlignment::Left }
}

/// Text without line breaks and control characters, cut to a width.
fn one_line(text: &str, width: usize) -> String {
    // White space may take a part of it.
    let head: String = text.chars().take(8 * width).collect();
    cut(&terminal::one_line(head.as_bytes()), width)
}
