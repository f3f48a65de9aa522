//! `cargo xtask bench`: Clew beside its peers, in turn in one run, on private servers under load. A clock never fails it; a count
//! that is wrong does.

mod machine;
mod measure;
mod report;
mod subjects;

use std::path::{Path, PathBuf};

use clew_testkit::{Flavor, Load, Server, ServerOptions, TEN_THOUSAND};

use self::measure::Measured;
use self::subjects::Subject;
use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::{self, Step, say};
use crate::{servers, workspace};

/// What was measured on one server.
struct OnServer {
    flavor: Flavor,
    version: String,
    measured: Vec<Measured>,
}

/// Measures `clew`, or what a release build gives, and writes the results. `quick` takes the fewest pairs that mean something.
pub(crate) async fn run(quick: bool, clew: Option<PathBuf>) -> Result<(), XtaskError> {
    steps::heading("What the benchmark needs");
    servers::install_for_tests().await?;
    let (clew, build) = match clew {
        Some(clew) => (clew, "given by --clew".to_owned()),
        None => (workspace::build_clew(&["--release"]).await?, "release profile".to_owned()),
    };
    let mut results = Vec::new();
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        steps::heading(&format!("{flavor} with {} sessions", TEN_THOUSAND.sessions));
        results.push(on_server(flavor, &clew, quick).await?);
    }
    let templates = templates().await?;
    let report = report::write(&machine::describe(&build).await, &results, templates.as_deref());
    say(&report);
    let path = report::keep(&report).await?;
    say(&format!("Kept in {}", path.display()));
    Ok(())
}

/// One server at a time: each has ten thousand threads.
async fn on_server(flavor: Flavor, clew: &Path, quick: bool) -> Result<OnServer, XtaskError> {
    let step = Step::start("Starting the server and its sessions");
    let max_connections = u32::try_from(TEN_THOUSAND.sessions + 100).unwrap_or(u32::MAX);
    let arguments = subjects::arguments(flavor);
    let server = Server::start(flavor, &ServerOptions { max_connections, arguments }).await?;
    let load = Load::start(&server, TEN_THOUSAND).await.map_err(|cause| XtaskError::Load { cause })?;
    step.done();
    let version = Subject::client(&server, "SELECT VERSION()").answer().await?;
    let mut measured = Vec::new();
    for subject in subjects::all(flavor) {
        measured.push(measure::in_turn(&subject, clew, &server, &load, quick).await?);
    }
    Ok(OnServer { flavor, version: version.trim().to_owned(), measured })
}

/// What criterion says of the speed of templates, as its lines; nothing where there is no such benchmark.
async fn templates() -> Result<Option<String>, XtaskError> {
    if !workspace::root().join("crates/diagnose/benches").exists() {
        return Ok(None);
    }
    steps::heading("SQL templates");
    let bench: Command = workspace::cargo().args(["bench", "--locked", "--package", "clew-diagnose", "--benches"]);
    bench.answer().await.map(|answer| Some(report::throughputs(&answer)))
}
