//! Error type of the development tasks.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use clew_testkit::ServerError;
use clew_testkit::test_tools::DownloadsDirError;

/// Error of a development task.
#[derive(Debug, thiserror::Error)]
pub enum DevtoolsError {
    /// The tokio runtime could not be started, or a tokio task failed.
    #[error("cannot start the runtime or a thread: {0}")]
    Runtime(#[source] io::Error),
    /// A program could not be started. Contains the program's command line and the I/O error.
    #[error("cannot start `{0}`: {1}")]
    Start(String, io::Error),
    /// Node.js is missing or too old to build the web page. Contains the minimum version and the installed version.
    #[error("the web page requires Node.js {0} or newer, but {1}; the Rust program builds without it")]
    MissingNode(String, String),
    /// A temporary database server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The directory for installed servers could not be created or locked.
    #[error(transparent)]
    Setup(#[from] DownloadsDirError),
    /// Names of the checks that failed.
    #[error("failed checks: {0}")]
    Checks(String),
    /// Message of any other failure.
    #[error("{0}")]
    Failed(String),
}

impl DevtoolsError {
    /// Returns a function that converts the I/O error of a file operation to a `DevtoolsError`.
    pub fn file_error(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Failed(format!("cannot {operation} {}: {cause}", path.display()))
    }

    /// Returns a function that converts the cause of a failed operation to a `DevtoolsError`.
    pub fn operation_error<E: Display>(operation: &'static str) -> impl Fn(E) -> Self + Copy {
        move |cause| Self::Failed(format!("cannot {operation}: {cause}"))
    }

    /// Creates the error for program output in an unexpected format.
    /// `output` must be empty if the output of the program may contain secrets.
    pub fn unexpected_output_error(command: impl Display, cause: impl Display, output: impl Display) -> Self {
        Self::Failed(format!("unexpected output of `{command}`: {cause}\n{output}"))
    }
}
