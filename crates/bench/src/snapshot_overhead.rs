//! Measures how much one snapshot per second reduces the sysbench throughput of a monitored database server.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clew_devtools::DevtoolsError;
use clew_devtools::command::Command;
use clew_devtools::progress::{self, Step};
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor, open_idle_sessions, raise_open_file_limit};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::process::Child;
use tokio::time::{sleep, sleep_until, timeout};

use crate::BenchmarkContext;
use crate::benchmark_case::{BenchmarkCase, Comparison, MedianTarget};
use crate::count_checks::{count_occurrences_in_file, ensure_expected_count};
use crate::error::BenchError;
use crate::paired_runs::{Measurement, calculate_median, format_median_and_range};

const MYSQL_SNAPSHOT_OVERHEAD_BENCHMARK: BenchmarkCase = BenchmarkCase {
    name: "load-mysql",
    metric: "sysbench oltp_read_write on MySQL, 1,000 idle sessions, one `clew snapshot` per second",
    baseline: "sysbench without Clew",
    comparison: Comparison::PercentDecrease,
    target: MedianTarget::AtMost(1.0),
    unit: "transactions/s",
    pairs: 240,
};

pub(super) const SNAPSHOT_OVERHEAD_BENCHMARKS: [BenchmarkCase; 2] = [
    MYSQL_SNAPSHOT_OVERHEAD_BENCHMARK,
    BenchmarkCase {
        name: "load-mariadb",
        metric: "sysbench oltp_read_write on MariaDB, 1,000 idle sessions, one `clew snapshot` per second",
        ..MYSQL_SNAPSHOT_OVERHEAD_BENCHMARK
    },
];

const SERVER_FLAVORS: [Flavor; 2] = [Flavor::MySql, Flavor::MariaDb];
const IDLE_SESSION_COUNT: usize = 1000;
/// Clew takes a snapshot in every other interval.
/// An interval is long enough for one snapshot, but too short for the transaction rate to drift significantly.
const MEASUREMENT_INTERVAL: Duration = Duration::from_millis(500);
const WARM_UP_DURATION: Duration = Duration::from_secs(10);
/// The database server responds slowly while sysbench uses all CPU cores.
const COMMIT_COUNT_QUERY_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn measure_snapshot_overhead(bench: &BenchmarkContext) -> Result<Vec<Measurement>, BenchError> {
    let mut measurements = Vec::new();
    for (case, flavor) in SNAPSHOT_OVERHEAD_BENCHMARKS
        .iter()
        .zip(SERVER_FLAVORS)
        .filter(|(case, _)| bench.filter.includes_benchmark(case.name))
    {
        progress::print_heading(&format!("{flavor} under sysbench load, with {IDLE_SESSION_COUNT} idle sessions"));
        measurements.push(measure_snapshot_overhead_on_server(bench, *case, flavor).await?);
    }
    Ok(measurements)
}

async fn measure_snapshot_overhead_on_server(
    bench: &BenchmarkContext,
    case: BenchmarkCase,
    flavor: Flavor,
) -> Result<Measurement, BenchError> {
    let step = Step::start("Starting the database server and filling its tables");
    raise_open_file_limit(10_000)?;
    let options = DatabaseServerOptions { max_connections: 1200, arguments: server_arguments(flavor) };
    let server = bench.start_server(flavor, &options).await?;
    server.run_statements(&["CREATE DATABASE clew_bench"]).await.map_err(std::io::Error::other)?;
    build_sysbench_command(&server).args(["prepare"]).run_with_progress(&step, Duration::from_mins(5)).await?;
    let _idle = open_idle_sessions(&server, IDLE_SESSION_COUNT).await?;
    step.complete();

    let step = Step::start(case.name);
    let snapshots = SnapshotRunner::new(bench, &server);
    let log = bench.temp_file_path("sysbench.log");
    let log_file = std::fs::File::create(&log).map_err(DevtoolsError::file_error("create", &log))?;
    let mut process = build_sysbench_command(&server).args(["--time=86400", "run"]).start(log_file)?;
    let commits = CommitCounter::new(&server).await?;
    sleep(WARM_UP_DURATION).await;
    let rates = measure_transaction_rates(&step, case.pairs, &mut process, commits, &snapshots).await?;
    // Dropping `process` kills sysbench.
    drop(process);
    let measurement =
        snapshots.ensure_snapshots_contain_idle_sessions(IDLE_SESSION_COUNT)?.compare_transaction_rates(case, &rates);
    step.complete_with_result(&measurement.format_summary());
    Ok(measurement)
}

/// The sysbench tables fit in memory.
fn build_sysbench_command(server: &DatabaseServer) -> Command {
    Command::new("sysbench").args(["oltp_read_write", "--db-driver=mysql", "--mysql-host=127.0.0.1"]).args([
        format!("--mysql-port={}", server.port()).as_str(),
        "--mysql-user=root",
        "--mysql-db=clew_bench",
        "--mysql-ssl=off",
        "--tables=4",
        "--table-size=20000",
        "--threads=4",
        "--rand-seed=1",
    ])
}

/// Prevents the buffer pool and the redo log from limiting the throughput.
fn server_arguments(flavor: Flavor) -> Vec<String> {
    let log = match flavor {
        Flavor::MySql => "--innodb-redo-log-capacity=2G",
        Flavor::MariaDb => "--innodb-log-file-size=2G",
    };
    vec!["--innodb-buffer-pool-size=512M".to_owned(), log.to_owned()]
}

/// Writes each snapshot to a separate file. The benchmark counts the rows in the files only after the measurement.
struct SnapshotRunner {
    command: Command,
    directory: PathBuf,
    taken: Cell<usize>,
    max_duration: Cell<Duration>,
}

struct CommitCounter(Conn);

impl CommitCounter {
    async fn new(server: &DatabaseServer) -> Result<Self, BenchError> {
        let failed = DevtoolsError::operation_error("count commits");
        let mut connection = server.connect_as_root().await.map_err(failed)?;
        connection.query_drop("SET GLOBAL innodb_monitor_enable = 'trx_rw_commits'").await.map_err(failed)?;
        Ok(Self(connection))
    }

    /// Returns the commit count and the estimated time at which the server read the commit counter.
    /// Assumes that the server reads the counter halfway between the request and the response.
    async fn query_commit_count(&mut self) -> Result<(f64, Instant), BenchError> {
        const COMMIT_COUNTER_QUERY: &str =
            "SELECT count FROM information_schema.innodb_metrics WHERE name = 'trx_rw_commits'";
        let sent_at = Instant::now();
        let count = timeout(COMMIT_COUNT_QUERY_TIMEOUT, self.0.query_first::<f64, _>(COMMIT_COUNTER_QUERY)).await;
        let count = count.map_err(|_| no_response_error("database server"))?;
        let count = count.map_err(DevtoolsError::operation_error("count commits"))?;
        Ok((count.unwrap_or_default(), sent_at + sent_at.elapsed() / 2))
    }
}

fn no_response_error(program: &str) -> DevtoolsError {
    DevtoolsError::unexpected_output_error(program, "it stopped responding", "")
}

async fn measure_transaction_rates(
    step: &Step,
    pairs: usize,
    process: &mut Child,
    mut commits: CommitCounter,
    snapshots: &SnapshotRunner,
) -> Result<Vec<f64>, BenchError> {
    let mut rates = Vec::new();
    let mut running = tokio::task::JoinSet::new();
    let (mut count, mut since) = commits.query_commit_count().await?;
    let mut end = since;
    while rates.len() <= 2 * pairs {
        if rates.len() % 2 == 1 {
            let (command, file) = snapshots.build_next_snapshot_command();
            running.spawn(async move { command.measure_run_time(&file).await });
        }
        end += MEASUREMENT_INTERVAL;
        sleep_until(end.into()).await;
        let (next, read_at) = commits.query_commit_count().await?;
        rates.push((next - count) / (read_at - since).as_secs_f64());
        (count, since) = (next, read_at);
        if process.try_wait().is_ok_and(|status| status.is_some()) {
            return Err(no_response_error("sysbench").into());
        }
        step.set_spinner_text(&format!("{} of {pairs} snapshots", rates.len() / 2));
    }
    while let Some(result) = running.join_next().await {
        let elapsed = result.map_err(|error| DevtoolsError::Runtime(error.into()))??;
        snapshots.max_duration.set(snapshots.max_duration.get().max(elapsed));
    }
    Ok(rates)
}

impl SnapshotRunner {
    fn new(bench: &BenchmarkContext, server: &DatabaseServer) -> Self {
        let url = server.url();
        let command = Command::new(&bench.clew).args(["snapshot", "--format", "csv", url.as_str()]);
        Self {
            command,
            directory: bench.temp_file_path(server.flavor().name()),
            taken: Cell::default(),
            max_duration: Cell::default(),
        }
    }

    fn build_next_snapshot_command(&self) -> (Command, PathBuf) {
        let number = self.taken.get();
        self.taken.set(number + 1);
        (self.command.clone(), self.snapshot_output_path(number))
    }

    fn snapshot_output_path(&self, number: usize) -> PathBuf {
        self.directory.with_extension(format!("{number}.csv"))
    }

    fn ensure_snapshots_contain_idle_sessions(self, idle: usize) -> Result<Self, BenchError> {
        for number in 0..self.taken.get() {
            let found = count_occurrences_in_file(&self.snapshot_output_path(number), ",Sleep,")?;
            if found < idle as u64 {
                ensure_expected_count("idle sessions of a snapshot", found, idle as u64)?;
            }
        }
        Ok(self)
    }

    /// The transaction rate without Clew is the mean of the rates before and after the interval with the snapshot.
    /// The rate with Clew refers to one second: 0.5 s with a snapshot and 0.5 s without a snapshot.
    /// The rate with Clew is the mean of the rate in the interval with the snapshot and the rate without Clew.
    fn compare_transaction_rates(&self, case: BenchmarkCase, rates: &[f64]) -> Measurement {
        let mut measurement = Measurement::new(case);
        let mut without = Vec::new();
        for [before, with, after] in rates.windows(3).step_by(2).filter_map(|three| three.first_chunk()) {
            let alone = before.midpoint(*after);
            measurement.baseline.push(alone);
            measurement.clew.push(with.midpoint(alone));
            without.push((after - before) / before * 100.0);
        }
        let values = measurement.compare_each_pair();
        let (lower, upper) = calculate_quartiles(&values);
        let note = format!(
            "one run of sysbench with intervals of 0.5 s; every other interval begins with a snapshot, {} in total, the longest \
             {:.0} ms. Each interval with a snapshot is compared with its two neighbors and counts for half of its second. Half of the \
             pairs are between {:.1} and {:.1} %; neighboring intervals without Clew differ by {} %. The standard error of the median \
             is about {:.2} %.",
            self.taken.get(),
            self.max_duration.get().as_secs_f64() * 1000.0,
            lower,
            upper,
            format_median_and_range(&without),
            estimate_median_standard_error(&values),
        );
        measurement.with_note(note)
    }
}

fn calculate_quartiles(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = sorted.split_at(sorted.len() / 2);
    (calculate_median(low), calculate_median(high))
}

/// Estimates the median's standard error from the interquartile range, assuming a normal distribution.
fn estimate_median_standard_error(values: &[f64]) -> f64 {
    let (low, high) = calculate_quartiles(values);
    let deviation = (high - low) / 1.349;
    1.253 * deviation / u32::try_from(values.len()).map_or(1.0, f64::from).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_with_clew_counts_for_half_of_its_second() {
        let snapshots = SnapshotRunner {
            command: Command::new("clew"),
            directory: PathBuf::new(),
            taken: Cell::new(2),
            max_duration: Cell::default(),
        };
        // The rate rises over time, and each snapshot takes up a tenth of its interval.
        let measurement =
            snapshots.compare_transaction_rates(MYSQL_SNAPSHOT_OVERHEAD_BENCHMARK, &[100.0, 99.0, 120.0, 117.0, 140.0]);
        let values = measurement.compare_each_pair();
        assert!(
            (measurement.baseline[0] - 110.0).abs() < 1e-9 && (measurement.clew[0] - 104.5).abs() < 1e-9,
            "{measurement:?}"
        );
        assert!(values.iter().all(|value| (value - 5.0).abs() < 1e-9), "{values:?}");
        assert_eq!(calculate_quartiles(&[4.0, 1.0, 3.0, 2.0]), (1.5, 3.5));
    }
}
