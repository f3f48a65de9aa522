//! Cases of a database server with 10,000 sessions: snapshots, details, lock waits, and collections through the API.

use std::cell::RefCell;
use std::time::Duration;

use clew_testkit::{Flavor, Load, LoadSize, Server, ServerOptions, TEN_THOUSAND_SESSIONS};

use super::Bench;
use super::cases::{BenchCase, Comparison, Target};
use super::count_checks::{count_in_file, ensure_count};
use super::paired_runs::{Measurement, run_pairs};
use super::query_log;
use super::server_harness::{Inventory, RunningServer};
use crate::command::Command;
use crate::error::XtaskError;
use crate::progress::{self, Step};

/// A case on a busy database server.
struct ServerCase {
    definition: BenchCase,
    flavor: Flavor,
    clew: ClewRun,
    baseline: BaselineRun,
    /// Text that Clew's output contains once per counted item, and the expected number of items.
    item_marker: (&'static str, fn(LoadSize) -> usize),
    /// Minimum number of lines in the baseline's output.
    min_baseline_lines: fn(LoadSize) -> usize,
}

/// Invocation of Clew.
#[derive(Clone, Copy)]
enum ClewRun {
    /// A `clew` command with the server's URL.
    Command(&'static [&'static str]),
    /// `clew collect`.
    Collect,
    /// An API client in this process.
    Client,
}

/// Invocation of the baseline.
#[derive(Clone, Copy)]
enum BaselineRun {
    /// The client program, with the statements of Clew.
    SameReads,
    /// The client program with the statements of Clew. Both sides use TLS.
    SameReadsOverTls,
    /// The client program, with these statements.
    Statements(&'static str),
    /// `clew snapshot`.
    Snapshot,
}

const SNAPSHOT_ARGUMENTS: &[&str] = &["snapshot", "--format", "csv"];
const SESSION_MARKER: (&str, fn(LoadSize) -> usize) = ("root,127.0.0.1:", |size| size.sessions);

/// Query that joins sessions and transactions on the server. Clew joins them in memory.
const JOIN_QUERY: &str = "SELECT p.id, p.user, p.host, p.db, p.command, p.time, p.state, p.info, t.trx_id, t.trx_state, \
     TIMESTAMPDIFF(SECOND, t.trx_started, NOW(6)), TIMESTAMPDIFF(SECOND, t.trx_wait_started, NOW(6)), t.trx_rows_locked, \
     t.trx_tables_locked, t.trx_rows_modified FROM information_schema.processlist p \
     LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id";

const fn snapshot(name: &'static str, flavor: Flavor) -> ServerCase {
    ServerCase {
        definition: BenchCase {
            name,
            metric: "`clew snapshot` to CSV, 10,000 sessions",
            baseline: "`mariadb` client with the same two statements, output to a file",
            comparison: Comparison::Ratio,
            target: Target::AtMost(1.03),
            unit: "s",
            pairs: 41,
        },
        flavor,
        clew: ClewRun::Command(SNAPSHOT_ARGUMENTS),
        baseline: BaselineRun::SameReads,
        item_marker: SESSION_MARKER,
        min_baseline_lines: |size| size.sessions + size.transactions,
    }
}

const fn collect(name: &'static str, flavor: Flavor) -> ServerCase {
    ServerCase {
        definition: BenchCase {
            name,
            metric: "`clew collect`: a collection through the API, including the start of the program",
            baseline: "`clew snapshot`",
            comparison: Comparison::Ratio,
            target: Target::AtMost(1.3),
            unit: "s",
            pairs: 21,
        },
        flavor,
        clew: ClewRun::Collect,
        baseline: BaselineRun::Snapshot,
        item_marker: SESSION_MARKER,
        min_baseline_lines: |size| size.sessions,
    }
}

const fn api(name: &'static str, flavor: Flavor) -> ServerCase {
    let collect = collect(name, flavor);
    let metric = "collection through the API by a running program, from the POST to the last byte";
    ServerCase { definition: BenchCase { metric, ..collect.definition }, clew: ClewRun::Client, ..collect }
}

static CASES: [ServerCase; 10] = [
    snapshot("snapshot-mysql", Flavor::MySql),
    ServerCase {
        definition: BenchCase {
            name: "snapshot-mysql-tls",
            baseline: "`mariadb` client with the same two statements, both over TLS",
            ..snapshot("", Flavor::MySql).definition
        },
        baseline: BaselineRun::SameReadsOverTls,
        ..snapshot("", Flavor::MySql)
    },
    snapshot("snapshot-mariadb", Flavor::MariaDb),
    ServerCase {
        definition: BenchCase {
            name: "join-mariadb",
            metric: "`clew snapshot` to CSV, 10,000 sessions",
            baseline: "`mariadb` client with the join in SQL",
            comparison: Comparison::Speedup,
            target: Target::AtLeast(40.0),
            unit: "s",
            pairs: 21,
        },
        baseline: BaselineRun::Statements(JOIN_QUERY),
        min_baseline_lines: |size| size.sessions,
        ..snapshot("", Flavor::MariaDb)
    },
    ServerCase {
        definition: BenchCase {
            name: "detail-mysql",
            metric: "`clew snapshot --detail`, 10,000 sessions",
            baseline: "`mariadb` client with `sys.session`, then `sys.innodb_lock_waits`",
            comparison: Comparison::Speedup,
            target: Target::AtLeast(70.0),
            unit: "s",
            pairs: 9,
        },
        flavor: Flavor::MySql,
        clew: ClewRun::Command(&["snapshot", "--detail", "--format", "csv"]),
        baseline: BaselineRun::Statements("SELECT * FROM sys.session; SELECT * FROM sys.innodb_lock_waits"),
        item_marker: (",clew-testkit,", |size| size.sessions),
        min_baseline_lines: |size| size.sessions + size.waiters,
    },
    ServerCase {
        definition: BenchCase {
            name: "locks-mysql",
            metric: "`clew locks`, 10,000 sessions, 100 waiters",
            baseline: "`mariadb` client with `sys.innodb_lock_waits`",
            comparison: Comparison::Speedup,
            target: Target::AtLeast(20.0),
            unit: "s",
            pairs: 9,
        },
        flavor: Flavor::MySql,
        clew: ClewRun::Command(&["locks"]),
        baseline: BaselineRun::Statements("SELECT * FROM sys.innodb_lock_waits"),
        item_marker: ("\n100 sessions wait on 127.0.0.1", |size| size.waiters / 100),
        min_baseline_lines: |size| size.waiters,
    },
    collect("collect-mysql", Flavor::MySql),
    collect("collect-mariadb", Flavor::MariaDb),
    api("api-mysql", Flavor::MySql),
    api("api-mariadb", Flavor::MariaDb),
];

/// Returns the cases of this module.
pub(super) fn cases() -> impl Iterator<Item = BenchCase> {
    CASES.iter().map(|case| case.definition)
}

/// Measures one server at a time, because each server has 10,000 threads.
pub(super) async fn measure(bench: &Bench) -> Result<Vec<Measurement>, XtaskError> {
    let mut measurements = Vec::new();
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        let of_flavor = CASES.iter().filter(|case| case.flavor == flavor);
        let selected: Vec<&ServerCase> = of_flavor.filter(|case| bench.filter.includes(case.definition.name)).collect();
        if selected.is_empty() {
            continue;
        }
        progress::heading(&format!("{flavor} with {} sessions", TEN_THOUSAND_SESSIONS.sessions));
        measurements.extend(measure_on_server(bench, flavor, &selected).await?);
    }
    Ok(measurements)
}

async fn measure_on_server(
    bench: &Bench,
    flavor: Flavor,
    cases: &[&ServerCase],
) -> Result<Vec<Measurement>, XtaskError> {
    let step = Step::start("Starting the database server and opening the sessions");
    let max_connections = u32::try_from(TEN_THOUSAND_SESSIONS.sessions + 100).unwrap_or(u32::MAX);
    let server =
        bench.start_server(flavor, &ServerOptions { max_connections, arguments: server_arguments(flavor) }).await?;
    let load = Load::start(&server, TEN_THOUSAND_SESSIONS).await.map_err(|cause| XtaskError::Load { cause })?;
    let inventory = Inventory::register(&bench.clew, &[url(&server, "off")], 1).await?;
    let clew_server = inventory.start_server(None).await?;
    let snapshot = clew_command(bench, SNAPSHOT_ARGUMENTS, &server, "off");
    let reads = query_log::capture(&snapshot, &server).await?.snapshot_reads()?;
    step.done();
    let fixture = Fixture { bench, server: &server, size: load.size(), clew_server, snapshot, reads };
    let mut measurements = Vec::new();
    for case in cases {
        measurements.push(fixture.compare(case, &inventory).await?);
    }
    fixture.clew_server.stop().await?;
    Ok(measurements)
}

/// Servers and commands of the cases. Connections use TLS only in TLS cases, as the client program does by default.
struct Fixture<'a> {
    bench: &'a Bench,
    server: &'a Server,
    size: LoadSize,
    clew_server: RunningServer<'a>,
    snapshot: Command,
    reads: String,
}

impl Fixture<'_> {
    async fn compare(&self, case: &ServerCase, inventory: &Inventory) -> Result<Measurement, XtaskError> {
        let Some(node) = inventory.nodes.first() else { return Ok(Measurement::new(case.definition)) };
        let (clew_file, baseline_file) = (self.bench.temp_file("clew"), self.bench.temp_file("baseline"));
        let (marker, expected) = case.item_marker;
        let baseline = match case.baseline {
            BaselineRun::SameReads => client(self.server, &["--skip-ssl"], &self.reads),
            BaselineRun::SameReadsOverTls => client(self.server, &["--ssl"], &self.reads),
            BaselineRun::Statements(statements) => client(self.server, &["--skip-ssl"], statements),
            BaselineRun::Snapshot => self.snapshot.clone(),
        };
        let use_tls = matches!(case.baseline, BaselineRun::SameReadsOverTls);
        let delays = RefCell::new(Vec::new());
        let clew = async || {
            let elapsed = match case.clew {
                ClewRun::Command(arguments) => {
                    let tls = if use_tls { "required" } else { "off" };
                    clew_command(self.bench, arguments, self.server, tls).time_to_file(&clew_file).await?
                }
                ClewRun::Collect => self.clew_server.collect_command(node).time_to_file(&clew_file).await?,
                ClewRun::Client => {
                    let (elapsed, delay) = self.clew_server.time_to_file(node, &clew_file).await?;
                    delays.borrow_mut().extend(delay);
                    elapsed
                }
            };
            let found = count_in_file(&clew_file, marker)?;
            ensure_count(case.definition.name, found, expected(self.size) as u64)?;
            Ok(elapsed.as_secs_f64())
        };
        let baseline = async || {
            let elapsed = baseline.time_to_file(&baseline_file).await?;
            let (found, minimum) = (count_in_file(&baseline_file, "\n")?, (case.min_baseline_lines)(self.size) as u64);
            if found < minimum {
                return Err(XtaskError::WrongCount { subject: baseline.command_line(), found, expected: minimum });
            }
            Ok(elapsed.as_secs_f64())
        };
        let measurement = run_pairs(case.definition, clew, baseline).await?;
        Ok(match delays.into_inner().into_iter().max() {
            Some(maximum) => measurement.with_note(format_delay(maximum)),
            None => measurement,
        })
    }
}

fn format_delay(maximum: Duration) -> String {
    format!(
        "delay from the end of a collection in the server's log to its notification at the client: at most {:.0} ms.",
        maximum.as_secs_f64() * 1000.0
    )
}

/// Returns a `clew` command with a timeout for a busy machine.
fn clew_command(bench: &Bench, arguments: &[&str], server: &Server, tls: &str) -> Command {
    let url = url(server, tls);
    Command::new(&bench.clew).args(arguments.iter().copied()).args([url.as_str(), "--timeout", "300"])
}

fn url(server: &Server, tls: &str) -> String {
    format!("{}?tls={tls}", server.url())
}

/// Returns a client program command that runs these statements.
fn client(server: &Server, tls: &[&str], statements: &str) -> Command {
    let port = server.port().to_string();
    Command::new("mariadb")
        .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--port", port.as_str(), "--user=root"])
        .args(tls.iter().copied())
        .args(["--batch", "--execute", statements])
}

/// Returns the server's options: defaults with a larger buffer pool, and the performance schema.
fn server_arguments(flavor: Flavor) -> Vec<String> {
    match flavor {
        Flavor::MySql => vec!["--innodb-buffer-pool-size=256M".to_owned()],
        Flavor::MariaDb => vec!["--innodb-buffer-pool-size=256M".to_owned(), "--performance-schema=ON".to_owned()],
    }
}
