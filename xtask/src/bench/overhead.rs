//! Overhead on a monitored server: the throughput that sysbench loses to one snapshot per second.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clew_testkit::{Flavor, Server, ServerOptions, open_idle_sessions, raise_open_file_limit};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::process::Child;
use tokio::time::{sleep, sleep_until, timeout};

use super::Bench;
use super::cases::{BenchCase, Comparison, Target};
use super::count_checks::{count_in_file, ensure_count};
use super::paired_runs::{Measurement, format_median, median};
use crate::command::Command;
use crate::error::XtaskError;
use crate::progress::{self, Step};

const MYSQL: BenchCase = BenchCase {
    name: "load-mysql",
    metric: "sysbench oltp_read_write on MySQL, 1,000 idle sessions, one `clew snapshot` per second",
    baseline: "sysbench without Clew",
    comparison: Comparison::PercentDecrease,
    target: Target::AtMost(1.0),
    unit: "transactions/s",
    pairs: 240,
};

/// Cases of this module.
pub(super) const CASES: [BenchCase; 2] = [
    MYSQL,
    BenchCase {
        name: "load-mariadb",
        metric: "sysbench oltp_read_write on MariaDB, 1,000 idle sessions, one `clew snapshot` per second",
        ..MYSQL
    },
];

const FLAVORS: [Flavor; 2] = [Flavor::MySql, Flavor::MariaDb];
const IDLE_SESSIONS: usize = 1000;
/// Length of a measurement interval. An interval that begins with a snapshot alternates with one without Clew.
/// Short intervals cancel the speed changes of a shared machine; each is long enough for a snapshot to finish.
const INTERVAL: Duration = Duration::from_millis(500);
/// Run time of sysbench before the first interval.
const WARM_UP: Duration = Duration::from_secs(10);
/// Time limit of one query of the commit counter, on a server with all cores busy.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Measurement>, XtaskError> {
    let mut measurements = Vec::new();
    for (case, flavor) in CASES.iter().zip(FLAVORS).filter(|(case, _)| bench.filter.includes(case.name)) {
        progress::heading(&format!("{flavor} under sysbench load, with {IDLE_SESSIONS} idle sessions"));
        measurements.push(measure_on_server(bench, *case, flavor).await?);
    }
    Ok(measurements)
}

async fn measure_on_server(bench: &Bench, case: BenchCase, flavor: Flavor) -> Result<Measurement, XtaskError> {
    let step = Step::start("Starting the database server and filling its tables");
    let failed = |cause| XtaskError::Load { cause };
    raise_open_file_limit(10_000).map_err(failed)?;
    let options = ServerOptions { max_connections: 1200, arguments: server_arguments(flavor) };
    let server = bench.start_server(flavor, &options).await?;
    server.run(&["CREATE DATABASE clew_bench"]).await.map_err(|cause| failed(std::io::Error::other(cause)))?;
    sysbench(&server).args(["prepare"]).run_in_step(&step, Duration::from_mins(5)).await?;
    let _idle = open_idle_sessions(&server, IDLE_SESSIONS).await.map_err(failed)?;
    step.done();

    let step = Step::start(case.name);
    let snapshots = SnapshotRuns::new(bench, &server);
    let log = bench.temp_file("sysbench.log");
    let created = std::fs::File::create(&log);
    let log_file = created.map_err(|cause| XtaskError::File { operation: "create", path: log.clone(), cause })?;
    let mut process = sysbench(&server).args(["--time=86400", "run"]).start(log_file)?;
    let commits = CommitCounter::new(&server).await?;
    sleep(WARM_UP).await;
    let rates = measure_rates(&step, case.pairs, &mut process, commits, &snapshots).await?;
    // Dropping the process kills it.
    drop(process);
    let measurement = snapshots.check(IDLE_SESSIONS)?.compare(case, &rates);
    step.done_with(&measurement.summary());
    Ok(measurement)
}

/// Returns a sysbench command that loads two cores, with tables that fit into memory.
fn sysbench(server: &Server) -> Command {
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

/// Returns server options with a buffer pool and redo log large enough not to limit the throughput.
fn server_arguments(flavor: Flavor) -> Vec<String> {
    let log = match flavor {
        Flavor::MySql => "--innodb-redo-log-capacity=2G",
        Flavor::MariaDb => "--innodb-log-file-size=2G",
    };
    vec!["--innodb-buffer-pool-size=512M".to_owned(), log.to_owned()]
}

/// Snapshots taken during the load. Each has its own file, so the rows are counted after the measurement.
struct SnapshotRuns {
    command: Command,
    directory: PathBuf,
    taken: Cell<usize>,
    max_duration: Cell<Duration>,
}

/// Counter of committed read-write transactions, maintained by the server.
struct CommitCounter(Conn);

impl CommitCounter {
    async fn new(server: &Server) -> Result<Self, XtaskError> {
        let failed = |cause| XtaskError::Database { operation: "count commits", cause };
        let mut connection = server.connect().await.map_err(failed)?;
        connection.query_drop("SET GLOBAL innodb_monitor_enable = 'trx_rw_commits'").await.map_err(failed)?;
        Ok(Self(connection))
    }

    /// Reads the counter. Returns it with its estimated time, the middle of the query's run time.
    async fn read(&mut self) -> Result<(f64, Instant), XtaskError> {
        const COUNTER_QUERY: &str = "SELECT count FROM information_schema.innodb_metrics WHERE name = 'trx_rw_commits'";
        let sent_at = Instant::now();
        let count = timeout(QUERY_TIMEOUT, self.0.query_first::<f64, _>(COUNTER_QUERY)).await;
        let count = count.map_err(|_| no_response("database server"))?;
        let count = count.map_err(|cause| XtaskError::Database { operation: "count commits", cause })?;
        Ok((count.unwrap_or_default(), sent_at + sent_at.elapsed() / 2))
    }
}

fn no_response(program: &str) -> XtaskError {
    XtaskError::UnexpectedOutput {
        command: program.to_owned(),
        cause: "it stopped responding".to_owned(),
        output: String::new(),
    }
}

/// Measures the transactions per second of each interval.
/// Intervals without and with Clew alternate, starting and ending without.
async fn measure_rates(
    step: &Step,
    pairs: usize,
    process: &mut Child,
    mut commits: CommitCounter,
    snapshots: &SnapshotRuns,
) -> Result<Vec<f64>, XtaskError> {
    let mut rates = Vec::new();
    let mut running = tokio::task::JoinSet::new();
    let (mut count, mut since) = commits.read().await?;
    let mut end = since;
    while rates.len() <= 2 * pairs {
        if rates.len() % 2 == 1 {
            let (command, file) = snapshots.next();
            running.spawn(async move { command.time_to_file(&file).await });
        }
        end += INTERVAL;
        sleep_until(end.into()).await;
        let (next, read_at) = commits.read().await?;
        rates.push((next - count) / (read_at - since).as_secs_f64());
        (count, since) = (next, read_at);
        if process.try_wait().is_ok_and(|status| status.is_some()) {
            return Err(no_response("sysbench"));
        }
        step.detail(&format!("{} of {pairs} snapshots", rates.len() / 2));
    }
    while let Some(result) = running.join_next().await {
        let elapsed = result.map_err(|error| XtaskError::Runtime(error.into()))??;
        snapshots.max_duration.set(snapshots.max_duration.get().max(elapsed));
    }
    Ok(rates)
}

impl SnapshotRuns {
    fn new(bench: &Bench, server: &Server) -> Self {
        let url = server.url();
        let command = Command::new(&bench.clew).args(["snapshot", "--format", "csv", url.as_str()]);
        Self {
            command,
            directory: bench.temp_file(server.flavor().name()),
            taken: Cell::default(),
            max_duration: Cell::default(),
        }
    }

    fn next(&self) -> (Command, PathBuf) {
        let number = self.taken.get();
        self.taken.set(number + 1);
        (self.command.clone(), self.file(number))
    }

    fn file(&self, number: usize) -> PathBuf {
        self.directory.with_extension(format!("{number}.csv"))
    }

    /// Fails if a snapshot lacks sessions.
    fn check(self, idle: usize) -> Result<Self, XtaskError> {
        for number in 0..self.taken.get() {
            let found = count_in_file(&self.file(number), ",Sleep,")?;
            if found < idle as u64 {
                ensure_count("idle sessions of a snapshot", found, idle as u64)?;
            }
        }
        Ok(self)
    }

    /// Compares each interval with Clew with the mean of its two neighbors.
    /// A second with a snapshot consists of one interval with Clew and one without.
    fn compare(&self, case: BenchCase, rates: &[f64]) -> Measurement {
        let mut measurement = Measurement::new(case);
        let mut without = Vec::new();
        for [before, with, after] in rates.windows(3).step_by(2).filter_map(|three| three.first_chunk()) {
            let alone = before.midpoint(*after);
            measurement.baseline.push(alone);
            measurement.clew.push(with.midpoint(alone));
            without.push((after - before) / before * 100.0);
        }
        let values = measurement.values();
        let (lower, upper) = quartiles(&values);
        let note = format!(
            "one run of sysbench with intervals of 0.5 s; every other interval begins with a snapshot, {} in total, the longest \
             {:.0} ms. Each interval with a snapshot is compared with its two neighbors and counts for half of its second. Half of the \
             pairs are between {:.1} and {:.1} %; neighboring intervals without Clew differ by {} %. The standard error of the median \
             is about {:.2} %.",
            self.taken.get(),
            self.max_duration.get().as_secs_f64() * 1000.0,
            lower,
            upper,
            format_median(&without),
            median_standard_error(&values),
        );
        measurement.with_note(note)
    }
}

/// Returns the first and the third quartile.
fn quartiles(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = sorted.split_at(sorted.len() / 2);
    (median(low), median(high))
}

/// Estimates the standard error of the median from the interquartile range of normally distributed values.
fn median_standard_error(values: &[f64]) -> f64 {
    let (low, high) = quartiles(values);
    let deviation = (high - low) / 1.349;
    1.253 * deviation / u32::try_from(values.len()).map_or(1.0, f64::from).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_with_clew_counts_for_half_of_its_second() {
        let snapshots = SnapshotRuns {
            command: Command::new("clew"),
            directory: PathBuf::new(),
            taken: Cell::new(2),
            max_duration: Cell::default(),
        };
        // The rate rises over time, and each snapshot costs a tenth of its interval.
        let measurement = snapshots.compare(MYSQL, &[100.0, 99.0, 120.0, 117.0, 140.0]);
        let values = measurement.values();
        assert!(
            (measurement.baseline[0] - 110.0).abs() < 1e-9 && (measurement.clew[0] - 104.5).abs() < 1e-9,
            "{measurement:?}"
        );
        assert!(values.iter().all(|value| (value - 5.0).abs() < 1e-9), "{values:?}");
        assert_eq!(quartiles(&[4.0, 1.0, 3.0, 2.0]), (1.5, 3.5));
    }
}
