//! Sessions as lines that are no wider than the terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Effects, Style};
use clew_diagnose::terminal::{columns, cut, one_line};
use clew_diagnose::waits::is_wait_state;
use clew_model::HostPattern;
use clew_mysql::Snapshot;
use serde::Deserialize;

use crate::output::{Output, stdout_has_colours, terminal_width};

/// Heading of each column but the statement's, how wide it grows, and how narrow it gets for the statement's sake.
const COLUMNS: [(&str, usize, usize); 7] = [
    ("ID", 20, 20),
    ("USER", 24, 8),
    ("HOST", 24, 9),
    ("DB", 24, 6),
    ("COMMAND", 16, 7),
    ("TIME", 10, 10),
    ("STATE", 28, 14),
];
/// Columns that are numbers.
const NUMBERS: [&str; 2] = ["ID", "TIME"];
/// Between two columns.
const GAP: usize = 2;
/// What the statement has at least, as long as another column can give way.
const STATEMENT: usize = 24;

/// What is shown of a row of a snapshot.
#[derive(Deserialize)]
struct Row {
    session_id: u64,
    user: String,
    host: String,
    database_name: Option<String>,
    command: String,
    state_duration: u64,
    execution_status: Option<String>,
    sql_statement: Option<String>,
    transaction_status: Option<String>,
}

struct Line {
    cells: [String; COLUMNS.len()],
    statement: String,
    waits: bool,
}

/// Writes a heading, a line for each session, and a line that counts.
pub(super) fn write(snapshot: &mut Snapshot, out: &mut Output) -> io::Result<()> {
    let width = terminal_width();
    let lines = read(snapshot, width)?;
    let widths = widths(&lines, width);
    let colours = stdout_has_colours();
    let style = |style: Style| if colours { style } else { Style::new() };
    let heading =
        Line { cells: COLUMNS.map(|(name, ..)| name.to_owned()), statement: "STATEMENT".into(), waits: false };
    write_line(out, &heading, &widths, width, style(Style::new().effects(Effects::BOLD)))?;
    for line in &lines {
        let red = Style::new().fg_color(Some(AnsiColor::Red.into()));
        write_line(out, line, &widths, width, if line.waits { style(red) } else { Style::new() })?;
    }
    let summary = &snapshot.summary;
    let version = one_line(summary.server_version.as_bytes());
    writeln!(out, "\n{} sessions on {} {version}", summary.rows, summary.server_flavor)?;
    match lines.iter().filter(|line| line.waits).count() {
        0 => Ok(()),
        1 => writeln!(out, "1 session waits for a lock: run clew locks to see its blocker"),
        many => writeln!(out, "{many} sessions wait for a lock: run clew locks to see the blockers"),
    }
}

fn read(snapshot: &mut Snapshot, width: usize) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for at in 0..usize::try_from(snapshot.summary.rows).unwrap_or(usize::MAX) {
        let mut row = Vec::new();
        snapshot.body.write_part(at, 1, &mut row)?;
        lines.push(line(serde_json::from_slice(&row)?, width));
    }
    Ok(lines)
}

fn line(row: Row, width: usize) -> Line {
    let text = |text: Option<String>| one_line(text.unwrap_or_default().as_bytes());
    let idle = row.execution_status.as_deref().is_none_or(str::is_empty);
    let state = match row.execution_status {
        // The server lists nothing, and it may be what everybody waits for.
        _ if idle && row.transaction_status.is_some() => "in transaction".to_owned(),
        state => state.unwrap_or_default(),
    };
    let waits = row.transaction_status.as_deref() == Some("LOCK WAIT") || is_wait_state(state.as_bytes());
    let statement = row.sql_statement.unwrap_or_default();
    // No line shows more of it, and it may have megabytes.
    let head: String = statement.chars().take(width * 4).collect();
    Line {
        cells: [
            row.session_id.to_string(),
            text(Some(row.user)),
            // The port tells people nothing.
            text(Some(HostPattern::parse(&row.host).host)),
            text(row.database_name),
            text(Some(row.command)),
            row.state_duration.to_string(),
            // What it waits for tells more than that it waits.
            one_line(state.strip_prefix("Waiting for ").unwrap_or(&state).as_bytes()),
        ],
        statement: one_line(head.as_bytes()),
        waits,
    }
}

/// As wide as the widest cell; where that leaves the statement too little, the widest columns give way.
fn widths(lines: &[Line], width: usize) -> [usize; COLUMNS.len()] {
    let mut widths = COLUMNS.map(|(name, ..)| name.len());
    for line in lines {
        for ((width, cell), (_, most, _)) in widths.iter_mut().zip(&line.cells).zip(COLUMNS) {
            *width = (*width).max(columns(cell)).min(most);
        }
    }
    while widths.iter().map(|width| width + GAP).sum::<usize>() + STATEMENT > width {
        let can_give = widths.iter_mut().zip(COLUMNS).filter(|(width, (.., least))| **width > *least);
        let Some((widest, _)) = can_give.max_by_key(|(width, _)| **width) else { break };
        *widest -= 1;
    }
    widths
}

fn write_line(
    out: &mut Output,
    line: &Line,
    widths: &[usize; COLUMNS.len()],
    width: usize,
    style: Style,
) -> io::Result<()> {
    let mut text = String::new();
    for ((cell, &width), (name, ..)) in line.cells.iter().zip(widths).zip(COLUMNS) {
        let cell = cut(cell, width);
        let blanks = " ".repeat(width.saturating_sub(columns(&cell)));
        let gap = " ".repeat(GAP);
        text.extend(if NUMBERS.contains(&name) { [&*blanks, &*cell, &*gap] } else { [&*cell, &*blanks, &*gap] });
    }
    text.push_str(&line.statement);
    writeln!(out, "{style}{}{style:#}", cut(text.trim_end(), width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_line(cells: [&str; COLUMNS.len()]) -> Line {
        Line { cells: cells.map(str::to_owned), statement: String::new(), waits: false }
    }

    #[test]
    fn columns_give_way_to_the_statement_as_far_as_they_can() {
        let short = a_line(["7", "app", "10.0.0.7", "shop", "Query", "3", "executing"]);
        assert_eq!(widths(&[short], 120), [2, 4, 8, 4, 7, 4, 9]);
        let long =
            a_line(["12345678", &"u".repeat(40), &"h".repeat(40), &"d".repeat(40), "Query", "3", &"s".repeat(40)]);
        let narrow = widths(&[long], 80);
        assert_eq!(narrow, [8, 8, 9, 6, 7, 4, 14]);
        assert_eq!(widths(&[a_line(["1", "a", "b", "c", "d", "2", &"s".repeat(40)])], 80)[6], 19);
    }
}
