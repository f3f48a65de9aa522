//! The results as a page.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use clew_testkit::TEN_THOUSAND;

use super::OnServer;
use super::measure::{Measured, middle, spread};
use crate::command::Command;
use crate::error::XtaskError;
use crate::workspace;

/// The page.
pub(super) fn write(machine: &str, servers: &[OnServer], templates: Option<&str>) -> String {
    let mut page = format!("# Clew beside its peers\n\n{machine}");
    for server in servers {
        let _ = writeln!(page, "- {} {}", server.flavor, server.version);
    }
    let size = TEN_THOUSAND;
    let _ = write!(
        page,
        "\n{} sessions, {} open transactions, {} of them waiting for one row. Clew and its peer run in turn; times are of whole \
         programs, from start to end. Median, and smallest to largest.\n\n\
         | server | Clew | peer | pairs | Clew, s | peer, s | times faster | wanted |\n|---|---|---|---|---|---|---|---|\n",
        size.sessions, size.transactions, size.waiters
    );
    for server in servers {
        for measured in &server.measured {
            page.push_str(&line(&server.flavor.to_string(), measured));
        }
    }
    page.push_str("\nSQL templates: ");
    page.push_str(templates.unwrap_or("not measured, there is no benchmark of them in this tree"));
    page + "\n"
}

fn line(server: &str, measured: &Measured) -> String {
    let subject = &measured.subject;
    let wanted = subject.wanted.map_or_else(|| "–".to_owned(), |times| format!("≥ {times:.0}"));
    format!(
        "| {server} | `{}` | `{}` | {} | {} | {} | {} | {wanted} |\n",
        subject.name(),
        subject.statement,
        measured.clew.len(),
        range(&seconds(&measured.clew), 3),
        range(&seconds(&measured.peer), 3),
        range(&measured.ratios(), 1),
    )
}

fn seconds(times: &[Duration]) -> Vec<f64> {
    times.iter().map(Duration::as_secs_f64).collect()
}

fn range(values: &[f64], digits: usize) -> String {
    let (smallest, largest) = spread(values);
    format!("{:.digits$} ({smallest:.digits$} to {largest:.digits$})", middle(values))
}

/// The lines of criterion's answer that say a speed.
pub(super) fn throughputs(answer: &str) -> String {
    let lines = answer.lines().map(str::trim).filter(|line| line.starts_with("thrpt:"));
    lines.collect::<Vec<_>>().join("; ")
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
