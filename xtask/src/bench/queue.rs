//! Rows of the queue: what its statements take with a million tasks in the table, beside a thousand. That they go by indexes is a test's
//! to say (`crates/store/src/metadata/tasks/plans.rs`).

use super::Bench;
use super::pairs::Figures;
use super::rows::{Compared, Reach, Row};
use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::{self, Step};
use crate::workspace;

const CLAIM: Row = Row {
    name: "queue-claim-sqlite",
    measure: "SQLite: taking one up, of 1,000,000 tasks of which 100,000 wait",
    against: "of 1,000 tasks of which 100 wait",
    compared: Compared::Share,
    reach: Reach::AtMost(1.5),
    unit: "s",
    pairs: 21,
};

/// What is done, as the program that measures names it, of each database.
const SUBJECTS: [(&str, &str, Row); 10] = [
    ("sqlite", "claim", CLAIM),
    ("sqlite", "queue", Row { name: "queue-insert-sqlite", measure: "SQLite: queueing one", ..CLAIM }),
    ("sqlite", "status", Row { name: "queue-status-sqlite", measure: "SQLite: asking for the status of one", ..CLAIM }),
    ("sqlite", "list", Row { name: "queue-list-sqlite", measure: "SQLite: listing those of a node", ..CLAIM }),
    (
        "sqlite",
        "counts",
        Row { name: "queue-counts-sqlite", measure: "SQLite: how many there are of each status", ..CLAIM },
    ),
    (
        "postgres",
        "claim",
        Row {
            name: "queue-claim-postgresql",
            measure: "PostgreSQL: taking one up, of 1,000,000 tasks of which 100,000 wait",
            ..CLAIM
        },
    ),
    ("postgres", "queue", Row { name: "queue-insert-postgresql", measure: "PostgreSQL: queueing one", ..CLAIM }),
    (
        "postgres",
        "status",
        Row { name: "queue-status-postgresql", measure: "PostgreSQL: asking for the status of one", ..CLAIM },
    ),
    (
        "postgres",
        "list",
        Row { name: "queue-list-postgresql", measure: "PostgreSQL: listing those of a node", ..CLAIM },
    ),
    (
        "postgres",
        "counts",
        Row { name: "queue-counts-postgresql", measure: "PostgreSQL: how many there are of each status", ..CLAIM },
    ),
];

/// All rows of this family.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    SUBJECTS.into_iter().map(|(_, _, row)| row)
}

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Figures>, XtaskError> {
    let wanted: Vec<_> = SUBJECTS.into_iter().filter(|(_, _, row)| bench.wanted.has(row.name)).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    steps::heading("A million tasks");
    let arguments = ["build", "--release", "--package", "clew-store", "--example", "queue_at_size"];
    let programs = workspace::build("Building what measures", &arguments).await?;
    let program = workspace::program_among(&programs, "example", "queue_at_size")?;
    let mut all = Vec::new();
    for database in ["sqlite", "postgres"] {
        let rows: Vec<_> = wanted.iter().filter(|(on, ..)| *on == database).collect();
        if rows.is_empty() {
            continue;
        }
        let step = Step::start(database);
        let pairs = CLAIM.pairs.to_string();
        let answer = Command::new(&program).args([database, pairs.as_str()]).answer().await?;
        for (_, what, row) in rows {
            all.push(figures(*row, what, &answer));
        }
        step.done();
    }
    Ok(all)
}

/// The pairs of one row: lines such as `claim 0.0012 0.0011`.
fn figures(row: Row, what: &str, answer: &str) -> Figures {
    let mut figures = Figures::new(row);
    for line in answer.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let [name, many, few] = words.as_slice()
            && *name == what
            && let (Ok(many), Ok(few)) = (many.parse(), few.parse())
        {
            figures.clew.push(many);
            figures.peer.push(few);
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_takes_the_pairs_of_its_name() {
        let answer = "queue 0.5 0.25\nclaim 0.002 0.001\nclaim 0.004 0.002\nstatus 1 1\n";
        let figures = figures(CLAIM, "claim", answer);
        assert_eq!((figures.clew, figures.peer), (vec![0.002, 0.004], vec![0.001, 0.002]));
    }
}
