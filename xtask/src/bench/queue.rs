//! Cases of the queue: run time of its statements with 1,000,000 tasks in the table, compared with 1,000 tasks.
//! Unit tests of `clew-store` check that the statements use indexes.

use super::Bench;
use super::cases::{BenchCase, Comparison, Target};
use super::paired_runs::Measurement;
use crate::command::Command;
use crate::error::XtaskError;
use crate::progress::{self, Step};
use crate::workspace;

const CLAIM: BenchCase = BenchCase {
    name: "queue-claim-sqlite",
    metric: "SQLite: claim one of 1,000,000 tasks, 100,000 of them queued",
    baseline: "1,000 tasks, 100 of them queued",
    comparison: Comparison::Ratio,
    target: Target::AtMost(1.5),
    unit: "s",
    pairs: 21,
};

/// Cases with their database and their operation in the output of the measuring program.
const OPERATIONS: [(&str, &str, BenchCase); 10] = [
    ("sqlite", "claim", CLAIM),
    ("sqlite", "queue", BenchCase { name: "queue-insert-sqlite", metric: "SQLite: queue a task", ..CLAIM }),
    (
        "sqlite",
        "status",
        BenchCase { name: "queue-status-sqlite", metric: "SQLite: read the status of a task", ..CLAIM },
    ),
    ("sqlite", "list", BenchCase { name: "queue-list-sqlite", metric: "SQLite: list the tasks of a node", ..CLAIM }),
    ("sqlite", "counts", BenchCase { name: "queue-counts-sqlite", metric: "SQLite: count tasks by status", ..CLAIM }),
    (
        "postgres",
        "claim",
        BenchCase {
            name: "queue-claim-postgresql",
            metric: "PostgreSQL: claim one of 1,000,000 tasks, 100,000 of them queued",
            ..CLAIM
        },
    ),
    ("postgres", "queue", BenchCase { name: "queue-insert-postgresql", metric: "PostgreSQL: queue a task", ..CLAIM }),
    (
        "postgres",
        "status",
        BenchCase { name: "queue-status-postgresql", metric: "PostgreSQL: read the status of a task", ..CLAIM },
    ),
    (
        "postgres",
        "list",
        BenchCase { name: "queue-list-postgresql", metric: "PostgreSQL: list the tasks of a node", ..CLAIM },
    ),
    (
        "postgres",
        "counts",
        BenchCase { name: "queue-counts-postgresql", metric: "PostgreSQL: count tasks by status", ..CLAIM },
    ),
];

/// Returns the cases of this module.
pub(super) fn cases() -> impl Iterator<Item = BenchCase> {
    OPERATIONS.into_iter().map(|(_, _, case)| case)
}

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Measurement>, XtaskError> {
    let selected: Vec<_> = OPERATIONS.into_iter().filter(|(_, _, case)| bench.filter.includes(case.name)).collect();
    if selected.is_empty() {
        return Ok(Vec::new());
    }
    progress::heading("Queue of 1,000,000 tasks");
    let arguments = ["build", "--release", "--package", "clew-store", "--example", "queue_at_size"];
    let programs = workspace::build("Building the measuring program", &arguments).await?;
    let program = workspace::find_program(&programs, "example", "queue_at_size")?;
    let mut measurements = Vec::new();
    for database in ["sqlite", "postgres"] {
        let cases: Vec<_> = selected.iter().filter(|(of, ..)| *of == database).collect();
        if cases.is_empty() {
            continue;
        }
        let step = Step::start(database);
        let pairs = CLAIM.pairs.to_string();
        let output = Command::new(&program).args([database, pairs.as_str()]).output().await?;
        for (_, operation, case) in cases {
            measurements.push(parse_pairs(*case, operation, &output));
        }
        step.done();
    }
    Ok(measurements)
}

/// Parses the pairs of one operation from lines such as `claim 0.0012 0.0011`.
fn parse_pairs(case: BenchCase, operation: &str, output: &str) -> Measurement {
    let mut measurement = Measurement::new(case);
    for line in output.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let [name, large, small] = words.as_slice()
            && *name == operation
            && let (Ok(large), Ok(small)) = (large.parse(), small.parse())
        {
            measurement.clew.push(large);
            measurement.baseline.push(small);
        }
    }
    measurement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_parsed_by_operation() {
        let output = "queue 0.5 0.25\nclaim 0.002 0.001\nclaim 0.004 0.002\nstatus 1 1\n";
        let measurement = parse_pairs(CLAIM, "claim", output);
        assert_eq!((measurement.clew, measurement.baseline), (vec![0.002, 0.004], vec![0.001, 0.002]));
    }
}
