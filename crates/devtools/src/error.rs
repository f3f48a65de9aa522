//! Error type of the development tasks.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use clew_testkit::ServerError;
use clew_testkit::toolchain::{CLIENT_REQUIREMENTS_PATH, PYTHON_ENV_VAR, ServersDirError};

/// Error of a development task.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevtoolsError {
    #[error("cannot start the runtime or a thread: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("cannot start `{command}`: {cause}")]
    Start { command: String, cause: std::io::Error },
    #[error("`{command}` failed ({status})")]
    Failed { command: String, status: ExitStatus },
    #[error("`{command}` failed ({status}). Last lines of its output:\n{output}")]
    FailedWithOutput { command: String, status: ExitStatus, output: String },
    #[error("`{command}` timed out after {} s and was killed. Last lines of its output:\n{output}", .limit.as_secs())]
    Timeout { command: String, limit: Duration, output: String },
    #[error("unexpected output of `{command}`: {cause}\n{output}")]
    UnexpectedOutput { command: String, cause: String, output: String },
    #[error("cannot {operation} {}: {cause}", .path.display())]
    File { operation: &'static str, path: PathBuf, cause: std::io::Error },
    #[error("cannot {operation}: {cause}")]
    Database { operation: &'static str, cause: mysql_async::Error },
    #[error("the sessions of the demo did not block each other within {} s", .limit.as_secs())]
    SessionsNotBlocked { limit: Duration },
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Setup(#[from] ServersDirError),
    #[error("failed checks: {0}")]
    Checks(String),
    #[error("{missing} must be installed, which requires root. Run this command, then try again:\n  {command}")]
    RootRequired { missing: String, command: String },
    #[error(
        "{} lacks Python packages that the tests require. Fix: run `{0} -m pip install -r {CLIENT_REQUIREMENTS_PATH}`, or unset {PYTHON_ENV_VAR}",
        .python.display()
    )]
    MissingClients { python: PathBuf },
    #[error("the web page requires Node.js {required} or newer, but {found}; the Rust program builds without it")]
    MissingNode { required: String, found: String },
    #[error("cannot put the server under load: {cause}")]
    Load { cause: std::io::Error },
    #[error("wrong count in `{subject}`: {found} instead of {expected}")]
    WrongCount { subject: String, found: u64, expected: u64 },
    #[error("cargo did not build the {kind} target {name}")]
    NotBuilt { kind: String, name: String },
    #[error("no benchmark case starts with {name}; the cases are: {names}")]
    UnknownCase { name: String, names: String },
    #[error("cannot send a request to {address}: {cause}")]
    Http { address: std::net::SocketAddr, cause: std::io::Error },
    #[error("cannot create an API client: {0}")]
    Client(#[from] clew_client::ClientError),
    #[error("{cause}. Last lines of the server's log:\n{log}")]
    Request { cause: Box<clew_client::ClientError>, log: String },
    #[error(transparent)]
    Faults(#[from] clew_chaos::ChaosError),
    #[error("{violations} invariants were violated")]
    InvariantsViolated { violations: usize },
    #[error("interrupted")]
    Interrupted,
}
