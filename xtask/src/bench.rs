//! `cargo xtask bench`: measures Clew and comparison programs in alternating runs, on private servers under load.
//! Slow times do not fail the benchmark; wrong counts do.

mod busy_server;
mod cases;
mod count_checks;
mod count_suite;
mod environment;
mod fleet;
mod http;
mod memory_scaling;
mod micro;
mod overhead;
mod page;
mod paired_runs;
mod query_log;
mod queue;
mod report;
mod server_harness;
mod workers;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;

use clap::Args;
use clew_testkit::{Flavor, Server, ServerOptions};
use mysql_async::prelude::Queryable;
use tempfile::TempDir;

use self::cases::CaseFilter;
use self::paired_runs::Measurement;
use crate::error::XtaskError;
use crate::progress::{self, print_line};
use crate::{install, interrupt, workspace};

/// Command-line arguments of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Run only cases whose names start with NAME, such as snapshot or download-32, without saving the results
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// Check only counts that do not depend on the machine, with the test build, in a few minutes
    #[arg(long, conflicts_with = "only")]
    quick: bool,
    /// Program to measure instead of a release build
    #[arg(long, value_name = "PROGRAM")]
    clew: Option<PathBuf>,
}

/// Context of all cases.
pub(crate) struct Bench {
    clew: PathBuf,
    filter: CaseFilter,
    directory: TempDir,
    /// Versions of the measured servers.
    versions: RefCell<BTreeSet<String>>,
}

impl Bench {
    fn new(clew: PathBuf, filter: CaseFilter) -> Result<Self, XtaskError> {
        let failed = |cause| XtaskError::File { operation: "create a directory in", path: std::env::temp_dir(), cause };
        let directory = tempfile::tempdir().map_err(failed)?;
        Ok(Self { clew, filter, directory, versions: RefCell::default() })
    }

    /// Starts a database server and records its version for the report.
    async fn start_server(&self, flavor: Flavor, options: &ServerOptions) -> Result<Server, XtaskError> {
        let failed = |cause| XtaskError::Database { operation: "read the version of a server", cause };
        let server = Server::start(flavor, options).await?;
        let mut connection = server.connect().await.map_err(failed)?;
        let version: Option<String> = connection.query_first("SELECT VERSION()").await.map_err(failed)?;
        connection.disconnect().await.map_err(failed)?;
        self.versions.borrow_mut().insert(format!("{flavor} {}, the server", version.unwrap_or_default()));
        Ok(server)
    }

    /// Returns the path of a temporary file of this run.
    fn temp_file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Runs the benchmark, then prints and saves the report. Ctrl-C stops all processes.
pub(crate) async fn run(arguments: Arguments) -> Result<(), XtaskError> {
    tokio::select! {
        result = measure(arguments) => result,
        () = interrupt::received() => Err(XtaskError::Interrupted),
    }
}

async fn measure(arguments: Arguments) -> Result<(), XtaskError> {
    let cases = busy_server::cases()
        .chain(http::cases())
        .chain(memory_scaling::cases())
        .chain(fleet::CASES)
        .chain(workers::cases())
        .chain(overhead::CASES)
        .chain(queue::cases())
        .chain(page::CASES);
    let names: Vec<&str> = cases.map(|case| case.name).chain([micro::NAME]).collect();
    let filter = CaseFilter::new(arguments.only, &names)?;
    progress::heading("Prerequisites of the benchmark");
    if arguments.quick {
        install::for_tests().await?;
    } else {
        install::for_bench().await?;
    }
    if arguments.quick {
        return count_suite::run(arguments.clew).await;
    }
    let (clew, build) = if let Some(clew) = arguments.clew {
        (clew, "program given by --clew")
    } else {
        // The program embeds the page.
        crate::page::build_if_possible().await?;
        (workspace::build_clew(&["--release"]).await?, "release profile")
    };
    let bench = Bench::new(clew, filter)?;
    let environment = environment::describe(build).await;
    let (measurements, mut failure) = measure_families(&bench).await;
    let micro = if bench.filter.includes(micro::NAME) { micro::measure().await } else { Ok(Vec::new()) };
    let micro = micro.unwrap_or_else(|error| record_failure(&mut failure, error));
    let missing: Vec<&str> = names
        .into_iter()
        .filter(|name| {
            bench.filter.includes(name) && measurements.iter().all(|measurement| measurement.case.name != *name)
        })
        .filter(|name| *name != micro::NAME || micro.is_empty())
        .collect();
    let versions: Vec<String> = bench.versions.borrow().iter().map(|version| format!("- {version}\n")).collect();
    let page = report::render(&[environment, versions.concat()].concat(), &measurements, &micro, &missing);
    print_line(&page);
    if bench.filter.includes_all() {
        let path = report::save(&page).await?;
        print_line(&format!("Results saved in {}", path.display()));
    }
    failure.map_or(Ok(()), Err)
}

type FamilyFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<Measurement>, XtaskError>> + 'a>>;

/// Measures all families of cases in sequence. A full run takes an hour, so it continues after a failed family.
/// Returns the first failure with the measurements of the other families.
async fn measure_families(bench: &Bench) -> (Vec<Measurement>, Option<XtaskError>) {
    let families: [FamilyFuture<'_>; 8] = [
        Box::pin(busy_server::measure(bench)),
        Box::pin(http::measure(bench)),
        Box::pin(memory_scaling::measure(bench)),
        Box::pin(fleet::measure(bench)),
        Box::pin(workers::measure(bench)),
        Box::pin(overhead::measure(bench)),
        Box::pin(queue::measure(bench)),
        Box::pin(page::measure(bench)),
    ];
    let (mut measurements, mut failure) = (Vec::new(), None);
    for family in families {
        measurements.extend(family.await.unwrap_or_else(|error| record_failure(&mut failure, error)));
    }
    (measurements, failure)
}

/// Prints an error and stores it if it is the first one. Returns an empty list of results.
fn record_failure<T>(first: &mut Option<XtaskError>, error: XtaskError) -> Vec<T> {
    progress::print_error(&error);
    first.get_or_insert(error);
    Vec::new()
}
