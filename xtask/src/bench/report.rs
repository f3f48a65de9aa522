//! The results as a page.

use std::fmt::Write;
use std::path::PathBuf;

use super::micro::Micro;
use super::pairs::{Figures, shown};
use super::rows::{Compared, Reach};
use crate::command::Command;
use crate::error::XtaskError;
use crate::workspace;

/// The page. `missing` are names of rows that could not be measured.
pub(super) fn page(machine: &str, figures: &[Figures], micro: &[Micro], missing: &[&str]) -> String {
    let mut page = format!(
        "# Clew beside its peers\n\n{machine}\nClew and its peer run in turn, pair by pair, each first every other time. Figures are \
         the median, with the smallest and the largest; what is to be reached is meant of the median.\n\n\
         | row | measure | against | reach | median of pairs | pairs | Clew | peer | reached |\n|---|---|---|---|---|---|---|---|---|\n"
    );
    for row in figures {
        page.push_str(&line(row));
    }
    let notes = figures.iter().flat_map(|figures| figures.notes.iter().map(|note| (figures.row.name, note)));
    for (at, (name, note)) in notes.enumerate() {
        let _ = writeln!(page, "{}- {name}: {note}", if at == 0 { "\n" } else { "" });
    }
    if !missing.is_empty() {
        let _ = writeln!(page, "\nNot measured, as something failed: {}", missing.join(", "));
    }
    if !micro.is_empty() {
        page.push_str("\n| criterion, median | time | throughput |\n|---|---|---|\n");
    }
    for Micro { name, time, throughput } in micro {
        let _ = writeln!(page, "| {name} | {time} | {throughput} |");
    }
    page
}

fn line(figures: &Figures) -> String {
    let row = &figures.row;
    let (before, unit) = match row.compared {
        Compared::Share | Compared::TimesFaster => ("", " x"),
        Compared::More | Compared::Alone => ("", row.unit),
        Compared::PercentLess => ("", " %"),
    };
    let unit = if unit == row.unit { format!(" {unit}") } else { unit.to_owned() };
    let reach = match row.reach {
        Reach::AtMost(most) => format!("≤ {most}{unit}"),
        Reach::AtLeast(least) => format!("≥ {least}{unit}"),
    };
    let reached = if figures.is_reached() { "yes" } else { "no" };
    format!(
        "| {} | {} | {} | {reach} | {before}{}{unit} | {} | {} {} | {} {} | {reached} |\n",
        row.name,
        row.measure,
        row.against,
        figures.shown(),
        figures.values().len(),
        shown(&figures.clew),
        row.unit,
        shown(&figures.peer),
        row.unit,
    )
}

/// Writes the page into the folder of results, by its date.
pub(super) async fn keep(page: &str) -> Result<PathBuf, XtaskError> {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).answer().await?;
    let folder = workspace::root().join("bench").join("results");
    let path = folder.join(format!("{}.md", date.trim()));
    std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, page)).map_err(|cause| XtaskError::File {
        doing: "write",
        path: path.clone(),
        cause,
    })?;
    Ok(path)
}
