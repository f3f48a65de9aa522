//! Compares the speed of the task queue's SQL statements at 1,000,000 tasks with the speed at 1,000 tasks.
//! The unit tests of `clew-store` check that the task queue's SQL statements use indexes.

use clew_devtools::command::Command;
use clew_devtools::progress::{self, Step};
use clew_devtools::workspace;

use crate::BenchmarkContext;
use crate::benchmark_case::{BenchmarkCase, Comparison, MedianTarget};
use crate::error::BenchError;
use crate::paired_runs::Measurement;

const CLAIM_TASK_BENCHMARK: BenchmarkCase = BenchmarkCase {
    name: "queue-claim-sqlite",
    metric: "SQLite: claim one of 1,000,000 tasks, 100,000 of them queued",
    baseline: "1,000 tasks, 100 of them queued",
    comparison: Comparison::Ratio,
    target: MedianTarget::AtMost(1.5),
    unit: "s",
    pairs: 21,
};

const fn queue_benchmark(name: &'static str, metric: &'static str) -> BenchmarkCase {
    BenchmarkCase { name, metric, ..CLAIM_TASK_BENCHMARK }
}

/// Each element contains a database type, a task queue operation, and the benchmark case that measures the operation.
const TASK_QUEUE_BENCHMARKS: [(&str, &str, BenchmarkCase); 10] = [
    ("sqlite", "claim", CLAIM_TASK_BENCHMARK),
    ("sqlite", "queue", queue_benchmark("queue-insert-sqlite", "SQLite: queue a task")),
    ("sqlite", "status", queue_benchmark("queue-status-sqlite", "SQLite: read the status of a task")),
    ("sqlite", "list", queue_benchmark("queue-list-sqlite", "SQLite: list the tasks of a node")),
    ("sqlite", "counts", queue_benchmark("queue-counts-sqlite", "SQLite: count tasks by status")),
    (
        "postgres",
        "claim",
        queue_benchmark("queue-claim-postgresql", "PostgreSQL: claim one of 1,000,000 tasks, 100,000 of them queued"),
    ),
    ("postgres", "queue", queue_benchmark("queue-insert-postgresql", "PostgreSQL: queue a task")),
    ("postgres", "status", queue_benchmark("queue-status-postgresql", "PostgreSQL: read the status of a task")),
    ("postgres", "list", queue_benchmark("queue-list-postgresql", "PostgreSQL: list the tasks of a node")),
    ("postgres", "counts", queue_benchmark("queue-counts-postgresql", "PostgreSQL: count tasks by status")),
];

pub(super) fn task_queue_benchmarks() -> impl Iterator<Item = BenchmarkCase> {
    TASK_QUEUE_BENCHMARKS.into_iter().map(|(_, _, case)| case)
}

pub(super) async fn measure_task_queue(bench: &BenchmarkContext) -> Result<Vec<Measurement>, BenchError> {
    let selected: Vec<_> =
        TASK_QUEUE_BENCHMARKS.into_iter().filter(|(_, _, case)| bench.filter.includes_benchmark(case.name)).collect();
    if selected.is_empty() {
        return Ok(Vec::new());
    }
    progress::print_heading("Queue of 1,000,000 tasks");
    let arguments = ["build", "--release", "--package", "clew-store", "--example", "task_queue_benchmark"];
    let programs = workspace::build_programs("Building the queue benchmark program", &arguments).await?;
    let program = workspace::find_built_program(&programs, "example", "task_queue_benchmark")?;
    let mut measurements = Vec::new();
    for database in ["sqlite", "postgres"] {
        let cases: Vec<_> = selected.iter().filter(|(of, ..)| *of == database).collect();
        if cases.is_empty() {
            continue;
        }
        let step = Step::start(database);
        let pairs = CLAIM_TASK_BENCHMARK.pairs.to_string();
        let output = Command::new(&program).args([database, pairs.as_str()]).output().await?;
        for (_, operation, case) in cases {
            measurements.push(parse_operation_measurement(*case, operation, &output));
        }
        step.complete();
    }
    Ok(measurements)
}

/// Parses output lines such as `claim 0.0012 0.0011`.
/// Each line contains an operation and two run times: with 1,000,000 stored tasks and with 1,000 stored tasks.
fn parse_operation_measurement(case: BenchmarkCase, operation: &str, output: &str) -> Measurement {
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
        let measurement = parse_operation_measurement(CLAIM_TASK_BENCHMARK, "claim", output);
        assert_eq!((measurement.clew, measurement.baseline), (vec![0.002, 0.004], vec![0.001, 0.002]));
    }
}
