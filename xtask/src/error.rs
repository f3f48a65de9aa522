//! Why a task did not do what was asked.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use clew_testkit::ServerError;
use clew_testkit::setup::{CLIENTS, PYTHON_VARIABLE, SetupError};

/// What was being done, to what, and the cause.
#[derive(Debug, thiserror::Error)]
pub(crate) enum XtaskError {
    #[error("could not start: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("could not start `{command}`: {cause}")]
    Start { command: String, cause: std::io::Error },
    #[error("`{command}` failed ({status})")]
    Failed { command: String, status: ExitStatus },
    #[error("`{command}` failed ({status}). Its last words:\n{output}")]
    FailedQuietly { command: String, status: ExitStatus, output: String },
    #[error("`{command}` was still running after {} s and was ended. Its last words:\n{output}", .limit.as_secs())]
    TooLong { command: String, limit: Duration, output: String },
    #[error("`{command}` answered something unexpected: {cause}\n{answer}")]
    Answer { command: String, cause: String, answer: String },
    #[error("could not {doing} {}: {cause}", .path.display())]
    File { doing: &'static str, path: PathBuf, cause: std::io::Error },
    #[error("could not {doing}: {cause}")]
    Database { doing: &'static str, cause: mysql_async::Error },
    #[error("the demo's sessions were not stuck after {} s", .limit.as_secs())]
    NotStuck { limit: Duration },
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("these checks failed: {0}")]
    Checks(String),
    #[error("{missing} must be installed first, which only root may do. Run this, then try again:\n  {command}")]
    NeedsRoot { missing: String, command: String },
    #[error(
        "{} has not the client programs that the tests need; run `{0} -m pip install -r {CLIENTS}`, or unset {PYTHON_VARIABLE}",
        .python.display()
    )]
    NoClients { python: PathBuf },
    #[error("the page needs Node {wanted} or newer, and {found}; the Rust program can be built without it")]
    NoNode { wanted: String, found: String },
    #[error("could not put the server under load: {cause}")]
    Load { cause: std::io::Error },
    #[error("`{command}` answered with {found} of what must be {expected}")]
    Count { command: String, found: u64, expected: u64 },
    #[error("cargo built no {kind} that is called {name}")]
    NotBuilt { kind: String, name: String },
    #[error("no row is called {name}…; they are: {known}")]
    NoRow { name: String, known: String },
    #[error("could not ask {address}: {cause}")]
    Http { address: std::net::SocketAddr, cause: std::io::Error },
    #[error("could not make a client: {0}")]
    Client(#[from] clew_client::ClientError),
    #[error("{cause}. The service's last words:\n{log}")]
    Served { cause: Box<clew_client::ClientError>, log: String },
    #[error(transparent)]
    Faults(#[from] clew_faults::FaultsError),
    #[error("{promises} promises were broken")]
    Broken { promises: usize },
    #[error("interrupted")]
    Interrupted,
}
