//! `cargo xtask bench`: runs Clew and a baseline program alternately on temporary servers and compares the results.
//! The benchmark fails if a row count or a statement count is wrong. Slow results do not cause a failure.

mod benchmark_case;
mod busy_server;
mod count_checks;
mod environment;
mod error;
mod fleet;
mod http;
mod memory_scaling;
mod microbenchmarks;
mod paired_runs;
mod query_log;
mod report;
mod resource_counts;
mod server_harness;
mod snapshot_overhead;
mod task_queue;
mod web_page;
mod worker_scaling;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use clap::Parser;
use clew_devtools::clew_server::create_temporary_directory;
use clew_devtools::progress::{self, print_line};
use clew_devtools::{DevtoolsError, install, task_runner, workspace};
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor};
use mysql_async::prelude::Queryable;
use tempfile::TempDir;

use self::benchmark_case::BenchmarkFilter;
use self::error::BenchError;
use self::paired_runs::Measurement;

/// Benchmark Clew against baseline programs and save the results in bench/results.
/// Takes an hour on an idle machine
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench", max_term_width = 110)]
struct BenchArgs {
    /// Run only benchmark cases whose names start with NAME, such as download-32, without saving the results
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// Compare only the counts of statements, rows and memory allocations with the expected counts, in a debug build
    #[arg(long, conflicts_with = "only")]
    quick: bool,
    /// Path of the clew binary to benchmark instead of a release build
    #[arg(long, value_name = "PROGRAM")]
    clew: Option<PathBuf>,
}

pub(crate) struct BenchmarkContext {
    clew: PathBuf,
    filter: BenchmarkFilter,
    directory: TempDir,
    versions: RefCell<BTreeSet<String>>,
}

impl BenchmarkContext {
    fn new(clew: PathBuf, filter: BenchmarkFilter) -> Result<Self, BenchError> {
        let directory = create_temporary_directory("clew-bench-")?;
        Ok(Self { clew, filter, directory, versions: RefCell::default() })
    }

    /// Also records the server's version for the benchmark report.
    async fn start_server(
        &self,
        flavor: Flavor,
        options: &DatabaseServerOptions,
    ) -> Result<DatabaseServer, BenchError> {
        let failed = DevtoolsError::operation_error("read the version of a server");
        let server = DatabaseServer::start(flavor, options).await?;
        let mut connection = server.connect_as_root().await.map_err(failed)?;
        let version: Option<String> = connection.query_first("SELECT VERSION()").await.map_err(failed)?;
        connection.disconnect().await.map_err(failed)?;
        self.versions.borrow_mut().insert(format!("{flavor} {}, the server", version.unwrap_or_default()));
        Ok(server)
    }

    fn temp_file_path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn main() -> ExitCode {
    let arguments = BenchArgs::parse();
    task_runner::run(task_runner::run_until_shutdown_signal(run_selected_benchmarks(arguments)))
}

/// Saves the report only if all cases are selected.
async fn run_selected_benchmarks(arguments: BenchArgs) -> Result<(), BenchError> {
    let cases = busy_server::busy_server_benchmarks()
        .chain(http::http_benchmarks())
        .chain(memory_scaling::memory_scaling_benchmarks())
        .chain(fleet::FLEET_BENCHMARKS)
        .chain(worker_scaling::worker_scaling_benchmarks())
        .chain(snapshot_overhead::SNAPSHOT_OVERHEAD_BENCHMARKS)
        .chain(task_queue::task_queue_benchmarks())
        .chain(web_page::WEB_PAGE_BENCHMARKS);
    let names: Vec<&str> = cases.map(|case| case.name).chain([microbenchmarks::MICROBENCHMARK_FILTER]).collect();
    let filter = BenchmarkFilter::new(arguments.only, &names)?;
    progress::print_heading("Prerequisites of the benchmark");
    if arguments.quick {
        install::install_test_prerequisites().await?;
        return resource_counts::check_resource_counts(arguments.clew).await;
    }
    install::install_bench_prerequisites().await?;
    let (clew, build) = if let Some(clew) = arguments.clew {
        (clew, "program given by --clew")
    } else {
        // The executable embeds the page.
        clew_devtools::web_page::build_web_page_if_node_js_is_installed().await?;
        (workspace::build_clew_in_release_mode().await?, "release profile")
    };
    let bench = BenchmarkContext::new(clew, filter)?;
    let environment = environment::describe_environment(build).await;
    let (measurements, mut failure) = run_benchmark_groups(&bench).await;
    let micro = if bench.filter.includes_benchmark(microbenchmarks::MICROBENCHMARK_FILTER) {
        microbenchmarks::run_microbenchmarks().await
    } else {
        Ok(Vec::new())
    };
    let micro = micro.unwrap_or_else(|error| print_and_record_error(&mut failure, error));
    let missing: Vec<&str> = names
        .into_iter()
        .filter(|name| {
            bench.filter.includes_benchmark(name)
                && measurements.iter().all(|measurement| measurement.case.name != *name)
        })
        .filter(|name| *name != microbenchmarks::MICROBENCHMARK_FILTER || micro.is_empty())
        .collect();
    let versions: Vec<String> = bench.versions.borrow().iter().map(|version| format!("- {version}\n")).collect();
    let page = report::render_report(&[environment, versions.concat()].concat(), &measurements, &micro, &missing);
    print_line(&page);
    if bench.filter.includes_all_benchmarks() {
        let path = report::save_report(&page).await?;
        print_line(&format!("Results saved in {}", path.display()));
    }
    failure.map_or(Ok(()), Err)
}

type BenchmarkGroupFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<Measurement>, BenchError>> + 'a>>;

/// Continues with the next benchmark group after a failure, because a full run takes an hour.
async fn run_benchmark_groups(bench: &BenchmarkContext) -> (Vec<Measurement>, Option<BenchError>) {
    let groups: [BenchmarkGroupFuture<'_>; 8] = [
        Box::pin(busy_server::measure_busy_servers(bench)),
        Box::pin(http::run_http_benchmarks(bench)),
        Box::pin(memory_scaling::measure_memory_scaling(bench)),
        Box::pin(fleet::measure_session_collection_from_fleet(bench)),
        Box::pin(worker_scaling::measure_worker_scaling(bench)),
        Box::pin(snapshot_overhead::measure_snapshot_overhead(bench)),
        Box::pin(task_queue::measure_task_queue(bench)),
        Box::pin(web_page::measure_web_page_performance(bench)),
    ];
    let (mut measurements, mut failure) = (Vec::new(), None);
    for group in groups {
        measurements.extend(group.await.unwrap_or_else(|error| print_and_record_error(&mut failure, error)));
    }
    (measurements, failure)
}

fn print_and_record_error<T>(first: &mut Option<BenchError>, error: BenchError) -> Vec<T> {
    progress::print_error(&error);
    first.get_or_insert(error);
    Vec::new()
}
