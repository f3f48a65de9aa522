//! Rows of the watched server: what a snapshot a second costs its own work, which sysbench does.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clew_testkit::{Flavor, Server, ServerOptions, allow_open_files, idle_sessions};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::process::Child;
use tokio::time::{sleep, sleep_until, timeout};

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
    pairs: 240,
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
/// Each second has a half without Clew, and one that begins with a snapshot. So short, because the pace of a shared machine changes from
/// second to second by more than what is looked for; so long, because a snapshot has ended by then and left nothing behind.
const HALF: Duration = Duration::from_millis(500);
/// Before the first half.
const WARMING: Duration = Duration::from_secs(10);
/// For one question for the count of commits, on a server that has no core to spare.
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
    let log = bench.file("sysbench.log");
    let created = std::fs::File::create(&log);
    let log_file = created.map_err(|cause| XtaskError::File { doing: "create", path: log.clone(), cause })?;
    let mut process = sysbench(&server).args(["--time=86400", "run"]).start(log_file)?;
    let commits = Commits::of(&server).await?;
    sleep(WARMING).await;
    let halves = follow(&step, row.pairs, &mut process, commits, &snapshots).await?;
    // It is of no use any more; when this is dropped it ends.
    drop(process);
    let figures = snapshots.check(IDLE)?.compare(row, &halves);
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
    taken: Cell<usize>,
    longest: Cell<Duration>,
}

/// How many transactions that write were committed, which the server counts by itself.
struct Commits(Conn);

impl Commits {
    async fn of(server: &Server) -> Result<Self, XtaskError> {
        let failed = |cause| XtaskError::Database { doing: "count commits", cause };
        let mut connection = server.connect().await.map_err(failed)?;
        connection.query_drop("SET GLOBAL innodb_monitor_enable = 'trx_rw_commits'").await.map_err(failed)?;
        Ok(Self(connection))
    }

    /// The count, and the moment that it is of, as nearly as can be told.
    async fn now(&mut self) -> Result<(f64, Instant), XtaskError> {
        const COUNT: &str = "SELECT count FROM information_schema.innodb_metrics WHERE name = 'trx_rw_commits'";
        let asked = Instant::now();
        let count = timeout(LIMIT, self.0.query_first::<f64, _>(COUNT)).await;
        let count = count.map_err(|_| said_nothing("the server"))?;
        let count = count.map_err(|cause| XtaskError::Database { doing: "count commits", cause })?;
        Ok((count.unwrap_or_default(), asked + asked.elapsed() / 2))
    }
}

fn said_nothing(who: &str) -> XtaskError {
    XtaskError::Answer { command: who.to_owned(), cause: "it said nothing more".to_owned(), answer: String::new() }
}

/// Transactions a second in each half: without Clew, with it, and so on, with one more without it at the end.
async fn follow(
    step: &Step,
    pairs: usize,
    process: &mut Child,
    mut commits: Commits,
    snapshots: &Snapshots,
) -> Result<Vec<f64>, XtaskError> {
    let mut rates = Vec::new();
    let mut running = tokio::task::JoinSet::new();
    let (mut count, mut since) = commits.now().await?;
    let mut end = since;
    while rates.len() <= 2 * pairs {
        if rates.len() % 2 == 1 {
            let (command, file) = snapshots.next();
            running.spawn(async move { command.time_to_file(&file).await });
        }
        end += HALF;
        sleep_until(end.into()).await;
        let (next, moment) = commits.now().await?;
        rates.push((next - count) / (moment - since).as_secs_f64());
        (count, since) = (next, moment);
        if process.try_wait().is_ok_and(|ended| ended.is_some()) {
            return Err(said_nothing("sysbench"));
        }
        step.detail(&format!("{} of {pairs} snapshots", rates.len() / 2));
    }
    while let Some(ended) = running.join_next().await {
        let took = ended.map_err(|error| XtaskError::Runtime(error.into()))??;
        snapshots.longest.set(snapshots.longest.get().max(took));
    }
    Ok(rates)
}

impl Snapshots {
    fn of(bench: &Bench, server: &Server) -> Self {
        let url = server.url();
        let command = Command::new(&bench.clew).args(["snapshot", "--format", "csv", url.as_str()]);
        Self { command, folder: bench.file(server.flavor().name()), taken: Cell::default(), longest: Cell::default() }
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

    /// Each half with Clew beside the halves before and after it: a second with a snapshot is one of them and such a half.
    fn compare(&self, row: Row, halves: &[f64]) -> Figures {
        let mut figures = Figures::new(row);
        let mut without = Vec::new();
        for [before, with, after] in halves.windows(3).step_by(2).filter_map(|three| three.first_chunk()) {
            let alone = before.midpoint(*after);
            figures.peer.push(alone);
            figures.clew.push(with.midpoint(alone));
            without.push((after - before) / before * 100.0);
        }
        let values = figures.values();
        let medians = quarters(&values);
        let note = format!(
            "one run of sysbench; each second has a half without Clew and one that begins with a snapshot, {} in all, the longest \
             {:.0} ms. A half with one is compared with those before and after it, and counts for half of its second. Half of all pairs \
             lie between {:.1} and {:.1} %; two halves without Clew differ by {} %. The noise of the median is about {:.2} %.",
            self.taken.get(),
            self.longest.get().as_secs_f64() * 1000.0,
            medians.0,
            medians.1,
            shown(&without),
            noise_of_median(&values),
        );
        figures.noting(note)
    }
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
    fn a_half_with_clew_counts_for_half_of_its_second() {
        let snapshots = Snapshots {
            command: Command::new("clew"),
            folder: PathBuf::new(),
            taken: Cell::new(2),
            longest: Cell::default(),
        };
        // The pace grows by itself, and each snapshot takes a tenth of its half.
        let figures = snapshots.compare(MYSQL, &[100.0, 99.0, 120.0, 117.0, 140.0]);
        let values = figures.values();
        assert!((figures.peer[0] - 110.0).abs() < 1e-9 && (figures.clew[0] - 104.5).abs() < 1e-9, "{figures:?}");
        assert!(values.iter().all(|value| (value - 5.0).abs() < 1e-9), "{values:?}");
        assert_eq!(quarters(&[4.0, 1.0, 3.0, 2.0]), (1.5, 3.5));
    }
}
