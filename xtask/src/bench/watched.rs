//! Rows of the watched server: what a snapshot a second costs its own work, which sysbench does.

use std::path::PathBuf;
use std::time::Duration;

use clew_testkit::{Flavor, Server, ServerOptions, allow_open_files, idle_sessions};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::Bench;
use super::counts::{must_be, occurrences};
use super::pairs::{Figures, middle, shown};
use super::rows::{Compared, Reach, Row};
use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::{self, Step};

const MYSQL: Row = Row {
    name: "load-mysql",
    measure: "sysbench oltp_read_write on MySQL, 1,000 idle sessions, `clew snapshot` once a second",
    against: "the same without Clew",
    compared: Compared::PercentLess,
    reach: Reach::AtMost(1.0),
    unit: "transactions/s",
    pairs: 75,
};

/// All rows of this family.
pub(super) const ROWS: [Row; 2] = [
    MYSQL,
    Row {
        name: "load-mariadb",
        measure: "sysbench oltp_read_write on MariaDB, 1,000 idle sessions, `clew snapshot` once a second",
        ..MYSQL
    },
];

const FLAVORS: [Flavor; 2] = [Flavor::MySql, Flavor::MariaDb];
const IDLE: usize = 1000;
/// Seconds of each phase, with or without Clew. Two phases are a pair.
const PHASE: usize = 2;
/// Seconds before the first phase.
const WARMING: usize = 10;
/// Between two lines of sysbench.
const LIMIT: Duration = Duration::from_secs(30);

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Figures>, XtaskError> {
    let mut figures = Vec::new();
    for (row, flavor) in ROWS.iter().zip(FLAVORS).filter(|(row, _)| bench.wanted.has(row.name)) {
        steps::heading(&format!("{flavor} at work, with {IDLE} idle sessions"));
        figures.push(on_server(bench, *row, flavor).await?);
    }
    Ok(figures)
}

async fn on_server(bench: &Bench, row: Row, flavor: Flavor) -> Result<Figures, XtaskError> {
    let step = Step::start("Starting the server and filling its tables");
    let failed = |cause| XtaskError::Load { cause };
    allow_open_files(10_000).map_err(failed)?;
    let options = ServerOptions { max_connections: 1200, arguments: arguments(flavor) };
    let server = bench.start(flavor, &options).await?;
    server.run(&["CREATE DATABASE clew_bench"]).await.map_err(|cause| failed(std::io::Error::other(cause)))?;
    sysbench(&server).args(["prepare"]).run_in(&step, Duration::from_mins(5)).await?;
    let _idle = idle_sessions(&server, IDLE).await.map_err(failed)?;
    step.done();

    let step = Step::start(row.name);
    let snapshots = Snapshots::of(bench, &server);
    let seconds = WARMING + row.pairs * 2 * PHASE;
    let run = sysbench(&server).args(["--report-interval=1", &format!("--time={}", seconds + 5), "run"]);
    let log = bench.file("sysbench.log");
    let created = std::fs::File::create(&log);
    let mut process =
        run.start(created.map_err(|cause| XtaskError::File { doing: "create", path: log.clone(), cause })?)?;
    let rates = follow(&step, &mut process, seconds, &snapshots).await?;
    // It is of no use any more; when this is dropped it ends.
    drop(process);
    let figures = snapshots.check(IDLE)?.compare(row, &rates);
    step.done_with(&figures.shown());
    Ok(figures)
}

/// Enough work for both cores, on tables that stay in memory.
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

/// Room in memory and in the log, so that nothing but the work itself sets the pace.
fn arguments(flavor: Flavor) -> Vec<String> {
    let log = match flavor {
        Flavor::MySql => "--innodb-redo-log-capacity=2G",
        Flavor::MariaDb => "--innodb-log-file-size=2G",
    };
    vec!["--innodb-buffer-pool-size=512M".to_owned(), log.to_owned()]
}

/// Snapshots that are taken while sysbench works, each into a file of its own, so that they are counted only afterwards.
struct Snapshots {
    command: Command,
    folder: PathBuf,
    taken: std::cell::Cell<usize>,
}

/// Whether Clew looks in this second: without, with, with, without, and again, so that what drifts slowly falls out.
fn watched(second: usize) -> bool {
    matches!(second / PHASE % 4, 1 | 2)
}

/// Transactions in each second after the first ones.
async fn follow(
    step: &Step,
    process: &mut Child,
    seconds: usize,
    snapshots: &Snapshots,
) -> Result<Vec<f64>, XtaskError> {
    let stdout = process.stdout.take();
    let Some(mut lines) = stdout.map(|stdout| BufReader::new(stdout).lines()) else { return Ok(Vec::new()) };
    let mut rates = Vec::new();
    let mut seen = 0;
    let mut running = tokio::task::JoinSet::new();
    while seen < seconds {
        let line = tokio::time::timeout(LIMIT, lines.next_line()).await;
        let Ok(Ok(Some(line))) = line else {
            return Err(XtaskError::Answer {
                command: "sysbench".to_owned(),
                cause: format!("it said nothing more after {seen} s"),
                answer: String::new(),
            });
        };
        let Some(rate) = rate(&line) else { continue };
        if seen >= WARMING {
            rates.push(rate);
        }
        seen += 1;
        step.detail(&format!("{seen} of {seconds} s"));
        if seen >= WARMING && seen < seconds && watched(seen - WARMING) {
            let (command, file) = snapshots.next();
            running.spawn(async move { command.time_to_file(&file).await });
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.map_err(|error| XtaskError::Runtime(error.into()))??;
    }
    Ok(rates)
}

/// Transactions a second, of a line such as `[ 3s ] thds: 4 tps: 812.02 qps: …`.
fn rate(line: &str) -> Option<f64> {
    let (_, after) = line.split_once("tps: ")?;
    after.split(' ').next()?.parse().ok()
}

impl Snapshots {
    fn of(bench: &Bench, server: &Server) -> Self {
        let url = server.url();
        let command = Command::new(&bench.clew).args(["snapshot", "--format", "csv", url.as_str()]);
        Self { command, folder: bench.file(server.flavor().name()), taken: std::cell::Cell::default() }
    }

    fn next(&self) -> (Command, PathBuf) {
        let number = self.taken.get();
        self.taken.set(number + 1);
        (self.command.clone(), self.file(number))
    }

    fn file(&self, number: usize) -> PathBuf {
        self.folder.with_extension(format!("{number}.csv"))
    }

    /// Fails where a snapshot misses a session.
    fn check(self, idle: usize) -> Result<Self, XtaskError> {
        for number in 0..self.taken.get() {
            let found = occurrences(&self.file(number), ",Sleep,")?;
            if found < idle as u64 {
                must_be("idle sessions of a snapshot", found, idle as u64)?;
            }
        }
        Ok(self)
    }

    /// Pairs of phases beside each other, and how far two phases without Clew are from each other.
    fn compare(&self, row: Row, rates: &[f64]) -> Figures {
        let phases: Vec<f64> = rates.chunks_exact(PHASE).map(middle_of_sum).collect();
        let mut figures = Figures::new(row);
        let mut without = Vec::new();
        for four in phases.chunks_exact(4) {
            let [first, second, third, fourth] = four else { continue };
            figures.peer.extend([first, fourth]);
            figures.clew.extend([second, third]);
            without.push((fourth - first) / first * 100.0);
        }
        let count = self.taken.get();
        let medians = quarters(&figures.values());
        let note = format!(
            "one run of sysbench, phases of {PHASE} s without, with, with and without Clew; {count} snapshots. Half of all pairs lie \
             between {:.1} and {:.1} %. Two phases without Clew differ by {} %: that is the noise of one pair, and that of the median \
             is about {:.2} %.",
            medians.0,
            medians.1,
            shown(&without),
            noise_of_median(&figures.values()),
        );
        figures.noting(note)
    }
}

fn middle_of_sum(rates: &[f64]) -> f64 {
    rates.iter().sum::<f64>() / u32::try_from(rates.len()).map_or(1.0, f64::from)
}

/// The first and the third quarter.
fn quarters(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = sorted.split_at(sorted.len() / 2);
    (middle(low), middle(high))
}

/// Standard error of the median, from the distance of the quarters, as of values that are spread normally.
fn noise_of_median(values: &[f64]) -> f64 {
    let (low, high) = quarters(values);
    let deviation = (high - low) / 1.349;
    1.253 * deviation / u32::try_from(values.len()).map_or(1.0, f64::from).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_come_in_the_order_a_b_b_a() {
        let seconds: String = (0..16).map(|second| if watched(second) { 'B' } else { 'A' }).collect();
        assert_eq!(seconds, "AABBBBAAAABBBBAA");
    }

    #[test]
    fn sysbench_is_understood() {
        let line =
            "[ 3s ] thds: 4 tps: 812.02 qps: 16252.40 (r/w/o: 11379.28/3249.08/1624.04) lat (ms,95%): 7.30 err/s: 0.00";
        assert_eq!(rate(line), Some(812.02));
        assert_eq!(rate("Threads started!"), None);
        assert_eq!(quarters(&[4.0, 1.0, 3.0, 2.0]), (1.5, 3.5));
    }
}
