//! Benchmark cases for a database server with 10,000 sessions: snapshots, lock waits and API collections.

use std::cell::RefCell;
use std::time::Duration;

use clew_devtools::command::Command;
use clew_devtools::progress::{self, Step};
use clew_testkit::{
    BENCHMARK_SESSION_COUNTS, BenchmarkSessionCounts, BenchmarkSessions, DatabaseServer, DatabaseServerOptions, Flavor,
};

use crate::BenchmarkContext;
use crate::benchmark_case::{BenchmarkCase, Comparison, MedianTarget};
use crate::count_checks::{count_occurrences_in_file, ensure_expected_count};
use crate::error::{BenchError, wrong_count_error};
use crate::paired_runs::{Measurement, measure_paired_runs};
use crate::query_log;
use crate::server_harness::{DeploymentWithNodes, RunningClewServer};

struct BusyServerBenchmark {
    definition: BenchmarkCase,
    flavor: Flavor,
    clew: ClewInvocation,
    baseline: Baseline,
    /// Text that Clew's output must contain, and a function that returns the expected number of occurrences.
    item_marker: (&'static str, fn(BenchmarkSessionCounts) -> usize),
    min_baseline_lines: fn(BenchmarkSessionCounts) -> usize,
}

#[derive(Clone, Copy)]
enum ClewInvocation {
    Command(&'static [&'static str]),
    Collect,
    ApiClient,
}

#[derive(Clone, Copy)]
enum Baseline {
    /// Runs the `mariadb` client with the SQL statements that Clew runs.
    SameStatements,
    SameStatementsOverTls,
    Statements(&'static str),
    Snapshot,
}

const SNAPSHOT_COMMAND_ARGUMENTS: &[&str] = &["snapshot", "--format", "csv"];
const SESSION_ROW_MARKER_AND_COUNT: (&str, fn(BenchmarkSessionCounts) -> usize) =
    ("root,127.0.0.1:", |size| size.sessions);

const SESSION_TRANSACTION_JOIN_QUERY: &str = "SELECT p.id, p.user, p.host, p.db, p.command, p.time, p.state, p.info, t.trx_id, t.trx_state, \
     TIMESTAMPDIFF(SECOND, t.trx_started, NOW(6)), TIMESTAMPDIFF(SECOND, t.trx_wait_started, NOW(6)), t.trx_rows_locked, \
     t.trx_tables_locked, t.trx_rows_modified FROM information_schema.processlist p \
     LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id";

const fn snapshot_benchmark(name: &'static str, flavor: Flavor) -> BusyServerBenchmark {
    BusyServerBenchmark {
        definition: BenchmarkCase {
            name,
            metric: "`clew snapshot` to CSV, 10,000 sessions",
            baseline: "`mariadb` client with the same two statements, output to a file",
            comparison: Comparison::Ratio,
            target: MedianTarget::AtMost(1.03),
            unit: "s",
            pairs: 41,
        },
        flavor,
        clew: ClewInvocation::Command(SNAPSHOT_COMMAND_ARGUMENTS),
        baseline: Baseline::SameStatements,
        item_marker: SESSION_ROW_MARKER_AND_COUNT,
        min_baseline_lines: |size| size.sessions + size.transactions,
    }
}

const fn collect_command_benchmark(name: &'static str, flavor: Flavor) -> BusyServerBenchmark {
    BusyServerBenchmark {
        definition: BenchmarkCase {
            name,
            metric: "`clew collect`: a collection through the API, including the start of the program",
            baseline: "`clew snapshot`",
            comparison: Comparison::Ratio,
            target: MedianTarget::AtMost(1.3),
            unit: "s",
            pairs: 21,
        },
        flavor,
        clew: ClewInvocation::Collect,
        baseline: Baseline::Snapshot,
        item_marker: SESSION_ROW_MARKER_AND_COUNT,
        min_baseline_lines: |size| size.sessions,
    }
}

const fn api_collection_benchmark(name: &'static str, flavor: Flavor) -> BusyServerBenchmark {
    let collect = collect_command_benchmark(name, flavor);
    let metric = "collection through the API by a running program, from the POST to the last byte";
    BusyServerBenchmark {
        definition: BenchmarkCase { metric, ..collect.definition },
        clew: ClewInvocation::ApiClient,
        ..collect
    }
}

static BUSY_SERVER_BENCHMARKS: [BusyServerBenchmark; 10] = [
    snapshot_benchmark("snapshot-mysql", Flavor::MySql),
    BusyServerBenchmark {
        definition: BenchmarkCase {
            name: "snapshot-mysql-tls",
            baseline: "`mariadb` client with the same two statements, both over TLS",
            ..snapshot_benchmark("", Flavor::MySql).definition
        },
        baseline: Baseline::SameStatementsOverTls,
        ..snapshot_benchmark("", Flavor::MySql)
    },
    snapshot_benchmark("snapshot-mariadb", Flavor::MariaDb),
    BusyServerBenchmark {
        definition: BenchmarkCase {
            name: "join-mariadb",
            metric: "`clew snapshot` to CSV, 10,000 sessions",
            baseline: "`mariadb` client with the join in SQL",
            comparison: Comparison::Speedup,
            target: MedianTarget::AtLeast(40.0),
            unit: "s",
            pairs: 21,
        },
        baseline: Baseline::Statements(SESSION_TRANSACTION_JOIN_QUERY),
        min_baseline_lines: |size| size.sessions,
        ..snapshot_benchmark("", Flavor::MariaDb)
    },
    BusyServerBenchmark {
        definition: BenchmarkCase {
            name: "detail-mysql",
            metric: "`clew snapshot --detail`, 10,000 sessions",
            baseline: "`mariadb` client with `sys.session`, then `sys.innodb_lock_waits`",
            comparison: Comparison::Speedup,
            target: MedianTarget::AtLeast(70.0),
            unit: "s",
            pairs: 9,
        },
        flavor: Flavor::MySql,
        clew: ClewInvocation::Command(&["snapshot", "--detail", "--format", "csv"]),
        baseline: Baseline::Statements("SELECT * FROM sys.session; SELECT * FROM sys.innodb_lock_waits"),
        item_marker: (",clew-testkit,", |size| size.sessions),
        min_baseline_lines: |size| size.sessions + size.waiters,
    },
    BusyServerBenchmark {
        definition: BenchmarkCase {
            name: "locks-mysql",
            metric: "`clew locks`, 10,000 sessions, 100 waiters",
            baseline: "`mariadb` client with `sys.innodb_lock_waits`",
            comparison: Comparison::Speedup,
            target: MedianTarget::AtLeast(20.0),
            unit: "s",
            pairs: 9,
        },
        flavor: Flavor::MySql,
        clew: ClewInvocation::Command(&["locks"]),
        baseline: Baseline::Statements("SELECT * FROM sys.innodb_lock_waits"),
        item_marker: ("\n100 sessions wait on 127.0.0.1", |size| size.waiters / 100),
        min_baseline_lines: |size| size.waiters,
    },
    collect_command_benchmark("collect-mysql", Flavor::MySql),
    collect_command_benchmark("collect-mariadb", Flavor::MariaDb),
    api_collection_benchmark("api-mysql", Flavor::MySql),
    api_collection_benchmark("api-mariadb", Flavor::MariaDb),
];

pub(super) fn busy_server_benchmarks() -> impl Iterator<Item = BenchmarkCase> {
    BUSY_SERVER_BENCHMARKS.iter().map(|case| case.definition)
}

/// Benchmarks the MySQL and MariaDB servers one at a time, because each server has 10,000 threads.
pub(super) async fn measure_busy_servers(bench: &BenchmarkContext) -> Result<Vec<Measurement>, BenchError> {
    let mut measurements = Vec::new();
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        let of_flavor = BUSY_SERVER_BENCHMARKS.iter().filter(|case| case.flavor == flavor);
        let selected: Vec<&BusyServerBenchmark> =
            of_flavor.filter(|case| bench.filter.includes_benchmark(case.definition.name)).collect();
        if selected.is_empty() {
            continue;
        }
        progress::print_heading(&format!("{flavor} with {} sessions", BENCHMARK_SESSION_COUNTS.sessions));
        measurements.extend(run_benchmarks_on_server(bench, flavor, &selected).await?);
    }
    Ok(measurements)
}

async fn run_benchmarks_on_server(
    bench: &BenchmarkContext,
    flavor: Flavor,
    cases: &[&BusyServerBenchmark],
) -> Result<Vec<Measurement>, BenchError> {
    let step = Step::start("Starting the database server and opening the sessions");
    let max_connections = u32::try_from(BENCHMARK_SESSION_COUNTS.sessions + 100).unwrap_or(u32::MAX);
    let server = bench
        .start_server(flavor, &DatabaseServerOptions { max_connections, arguments: server_arguments(flavor) })
        .await?;
    let load = BenchmarkSessions::start(&server, BENCHMARK_SESSION_COUNTS).await?;
    let inventory = DeploymentWithNodes::register_nodes(&bench.clew, &[server_url(&server, "off")], 1).await?;
    let clew_server = inventory.start_server(&[], None).await?;
    let snapshot = build_clew_command(bench, SNAPSHOT_COMMAND_ARGUMENTS, &server, "off");
    let reads = query_log::capture_query_log(&snapshot, &server).await?.find_snapshot_statements()?;
    step.complete();
    let fixture =
        BusyServerFixture { bench, server: &server, size: load.session_counts(), clew_server, snapshot, reads };
    let mut measurements = Vec::new();
    for case in cases {
        measurements.push(fixture.run_busy_server_benchmark(case, &inventory).await?);
    }
    fixture.clew_server.stop().await?;
    Ok(measurements)
}

struct BusyServerFixture<'a> {
    bench: &'a BenchmarkContext,
    server: &'a DatabaseServer,
    size: BenchmarkSessionCounts,
    clew_server: RunningClewServer<'a>,
    snapshot: Command,
    reads: String,
}

impl BusyServerFixture<'_> {
    async fn run_busy_server_benchmark(
        &self,
        case: &BusyServerBenchmark,
        inventory: &DeploymentWithNodes,
    ) -> Result<Measurement, BenchError> {
        let Some(node) = inventory.nodes.first() else { return Ok(Measurement::new(case.definition)) };
        let (clew_file, baseline_file) = (self.bench.temp_file_path("clew"), self.bench.temp_file_path("baseline"));
        let (marker, expected) = case.item_marker;
        let baseline = match case.baseline {
            Baseline::SameStatements => build_mariadb_client_command(self.server, &["--skip-ssl"], &self.reads),
            Baseline::SameStatementsOverTls => build_mariadb_client_command(self.server, &["--ssl"], &self.reads),
            Baseline::Statements(statements) => build_mariadb_client_command(self.server, &["--skip-ssl"], statements),
            Baseline::Snapshot => self.snapshot.clone(),
        };
        let use_tls = matches!(case.baseline, Baseline::SameStatementsOverTls);
        let delays = RefCell::new(Vec::new());
        let clew = async || {
            let elapsed = match case.clew {
                ClewInvocation::Command(arguments) => {
                    let tls = if use_tls { "required" } else { "off" };
                    build_clew_command(self.bench, arguments, self.server, tls).measure_run_time(&clew_file).await?
                }
                ClewInvocation::Collect => {
                    self.clew_server.build_collect_command(node).measure_run_time(&clew_file).await?
                }
                ClewInvocation::ApiClient => {
                    let (elapsed, delay) =
                        self.clew_server.measure_session_collection_and_download(node, &clew_file).await?;
                    delays.borrow_mut().extend(delay);
                    elapsed
                }
            };
            let found = count_occurrences_in_file(&clew_file, marker)?;
            ensure_expected_count(case.definition.name, found, expected(self.size) as u64)?;
            Ok(elapsed.as_secs_f64())
        };
        let baseline = async || {
            let elapsed = baseline.measure_run_time(&baseline_file).await?;
            let (found, minimum) =
                (count_occurrences_in_file(&baseline_file, "\n")?, (case.min_baseline_lines)(self.size) as u64);
            if found < minimum {
                return Err(wrong_count_error(&baseline.command_line(), found, minimum));
            }
            Ok(elapsed.as_secs_f64())
        };
        let measurement = measure_paired_runs(case.definition, clew, baseline).await?;
        Ok(match delays.into_inner().into_iter().max() {
            Some(maximum) => measurement.with_note(format_max_notification_delay(maximum)),
            None => measurement,
        })
    }
}

fn format_max_notification_delay(maximum: Duration) -> String {
    format!(
        "delay from the end of a collection in the server's log to its notification at the client: at most {:.0} ms.",
        maximum.as_secs_f64() * 1000.0
    )
}

/// Builds a `clew` command with a timeout of 300 s, because commands can be slow on a busy machine.
fn build_clew_command(bench: &BenchmarkContext, arguments: &[&str], server: &DatabaseServer, tls: &str) -> Command {
    let url = server_url(server, tls);
    Command::new(&bench.clew).args(arguments.iter().copied()).args([url.as_str(), "--timeout", "300"])
}

fn server_url(server: &DatabaseServer, tls: &str) -> String {
    format!("{}?tls={tls}", server.url())
}

fn build_mariadb_client_command(server: &DatabaseServer, tls: &[&str], statements: &str) -> Command {
    let port = server.port().to_string();
    Command::new("mariadb")
        .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--port", port.as_str(), "--user=root"])
        .args(tls.iter().copied())
        .args(["--batch", "--execute", statements])
}

fn server_arguments(flavor: Flavor) -> Vec<String> {
    match flavor {
        Flavor::MySql => vec!["--innodb-buffer-pool-size=256M".to_owned()],
        Flavor::MariaDb => vec!["--innodb-buffer-pool-size=256M".to_owned(), "--performance-schema=ON".to_owned()],
    }
}
