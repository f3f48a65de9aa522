//! `cargo xtask bench`: Clew beside its peers, in turn in one run, on private servers under load. A clock never fails it; a count
//! that is wrong does.

mod asked;
mod counts;
mod flat;
mod fleet;
mod http;
mod loaded;
mod machine;
mod micro;
mod page;
mod pairs;
mod queue;
mod quick;
mod report;
mod rows;
mod served;
mod watched;
mod workers;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;

use clap::Args;
use clew_testkit::{Flavor, Server, ServerOptions};
use mysql_async::prelude::Queryable;
use tempfile::TempDir;

use self::pairs::Figures;
use self::rows::Wanted;
use crate::error::XtaskError;
use crate::steps::{self, say};
use crate::{interrupt, servers, workspace};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only rows whose names start so, such as snapshot or download-32; the results are printed, and not kept
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// Count instead, in a few minutes: only what does not depend on the machine, of the build that the tests use
    #[arg(long, conflicts_with = "only")]
    quick: bool,
    /// A program to measure instead of a release build
    #[arg(long, value_name = "PROGRAM")]
    clew: Option<PathBuf>,
}

/// What every row takes.
pub(crate) struct Bench {
    clew: PathBuf,
    wanted: Wanted,
    folder: TempDir,
    /// Of the servers that were measured.
    versions: RefCell<BTreeSet<String>>,
}

impl Bench {
    fn of(clew: PathBuf, wanted: Wanted) -> Result<Self, XtaskError> {
        let failed = |cause| XtaskError::File { doing: "make a folder in", path: std::env::temp_dir(), cause };
        let folder = tempfile::tempdir().map_err(failed)?;
        Ok(Self { clew, wanted, folder, versions: RefCell::default() })
    }

    /// Starts a server, and keeps its version.
    async fn start(&self, flavor: Flavor, options: &ServerOptions) -> Result<Server, XtaskError> {
        let failed = |cause| XtaskError::Database { doing: "ask a server for its version", cause };
        let server = Server::start(flavor, options).await?;
        let mut connection = server.connect().await.map_err(failed)?;
        let version: Option<String> = connection.query_first("SELECT VERSION()").await.map_err(failed)?;
        connection.disconnect().await.map_err(failed)?;
        self.versions.borrow_mut().insert(format!("{flavor} {}, the server", version.unwrap_or_default()));
        Ok(server)
    }

    /// A file of this run, gone with it.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Measures, prints the table and keeps it. Ctrl-C ends it at any moment; nothing is left running then either.
pub(crate) async fn run(arguments: Arguments) -> Result<(), XtaskError> {
    tokio::select! {
        measured = measure(arguments) => measured,
        () = interrupt::received() => Err(XtaskError::Interrupted),
    }
}

async fn measure(arguments: Arguments) -> Result<(), XtaskError> {
    let rows = loaded::rows()
        .chain(http::rows())
        .chain(flat::rows())
        .chain(fleet::ROWS)
        .chain(workers::rows())
        .chain(watched::ROWS)
        .chain(queue::rows())
        .chain(page::ROWS);
    let names: Vec<&str> = rows.map(|row| row.name).chain([micro::NAME]).collect();
    let wanted = Wanted::new(arguments.only, &names)?;
    steps::heading("What the benchmark needs");
    if arguments.quick {
        servers::install_for_tests().await?;
    } else {
        servers::install_for_bench().await?;
    }
    if arguments.quick {
        return quick::count(arguments.clew).await;
    }
    let (clew, build) = if let Some(clew) = arguments.clew {
        (clew, "a program given by --clew")
    } else {
        // A part of the program, so it comes first.
        crate::page::build_if_possible().await?;
        (workspace::build_clew(&["--release"]).await?, "release profile")
    };
    let bench = Bench::of(clew, wanted)?;
    let machine = machine::describe(build).await;
    let (figures, mut failure) = measure_all(&bench).await;
    let micro = if bench.wanted.has(micro::NAME) { micro::measure().await } else { Ok(Vec::new()) };
    let micro = micro.unwrap_or_else(|error| note_failure(&mut failure, error));
    let missing: Vec<&str> = names
        .into_iter()
        .filter(|name| bench.wanted.has(name) && figures.iter().all(|figures| figures.row.name != *name))
        .filter(|name| *name != micro::NAME || micro.is_empty())
        .collect();
    let versions: Vec<String> = bench.versions.borrow().iter().map(|version| format!("- {version}\n")).collect();
    let page = report::page(&[machine, versions.concat()].concat(), &figures, &micro, &missing);
    say(&page);
    if bench.wanted.is_everything() {
        let path = report::keep(&page).await?;
        say(&format!("Kept in {}", path.display()));
    }
    failure.map_or(Ok(()), Err)
}

type Measuring<'a> = Pin<Box<dyn Future<Output = Result<Vec<Figures>, XtaskError>> + 'a>>;

/// Measures one family of rows after the other. What was measured takes an hour to have again, so a family that fails does not take
/// the others with it: the first failure is told at the end.
async fn measure_all(bench: &Bench) -> (Vec<Figures>, Option<XtaskError>) {
    let families: [Measuring<'_>; 8] = [
        Box::pin(loaded::measure(bench)),
        Box::pin(http::measure(bench)),
        Box::pin(flat::measure(bench)),
        Box::pin(fleet::measure(bench)),
        Box::pin(workers::measure(bench)),
        Box::pin(watched::measure(bench)),
        Box::pin(queue::measure(bench)),
        Box::pin(page::measure(bench)),
    ];
    let (mut figures, mut failure) = (Vec::new(), None);
    for family in families {
        figures.extend(family.await.unwrap_or_else(|error| note_failure(&mut failure, error)));
    }
    (figures, failure)
}

/// Nothing, where something failed; what failed first is told again at the end.
fn note_failure<T>(first: &mut Option<XtaskError>, error: XtaskError) -> Vec<T> {
    steps::complain(&error);
    first.get_or_insert(error);
    Vec::new()
}
