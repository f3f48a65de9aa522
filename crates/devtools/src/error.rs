//! Error type of the development tasks.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use clew_testkit::ServerError;
use clew_testkit::test_tools::{DownloadsDirError, PIP_REQUIREMENTS_PATH, PYTHON_INTERPRETER_ENV_VAR};

/// Error of a development task.
#[derive(Debug, thiserror::Error)]
pub enum DevtoolsError {
    /// The tokio runtime or one of its tasks failed.
    #[error("cannot start the runtime or a thread: {0}")]
    Runtime(#[source] std::io::Error),
    /// A program could not be started.
    #[error("cannot start `{command}`: {cause}")]
    Start {
        /// Command line of the program.
        command: String,
        /// Cause.
        cause: std::io::Error,
    },
    /// A program exited with a nonzero status.
    #[error("`{command}` failed ({status})")]
    Failed {
        /// Command line of the program.
        command: String,
        /// Exit status of the program.
        status: ExitStatus,
    },
    /// A program whose output was captured exited with a nonzero status.
    #[error("`{command}` failed ({status}). Last lines of its output:\n{output}")]
    FailedWithOutput {
        /// Command line of the program.
        command: String,
        /// Exit status of the program.
        status: ExitStatus,
        /// Last output lines of the program.
        output: String,
    },
    /// A program timed out.
    #[error("`{command}` timed out after {} s and was killed. Last lines of its output:\n{output}", .limit.as_secs())]
    Timeout {
        /// Command line of the program.
        command: String,
        /// Time limit of the program.
        limit: Duration,
        /// Last output lines of the program.
        output: String,
    },
    /// The output of a program is not in the expected format.
    #[error("unexpected output of `{command}`: {cause}\n{output}")]
    UnexpectedOutput {
        /// Command line of the program.
        command: String,
        /// Difference from the expected format.
        cause: String,
        /// Program output. Empty if the output may contain secrets.
        output: String,
    },
    /// A file operation failed.
    #[error("cannot {operation} {}: {cause}", .path.display())]
    File {
        /// Failed operation.
        operation: &'static str,
        /// File or directory of the operation.
        path: PathBuf,
        /// Cause.
        cause: std::io::Error,
    },
    /// A statement on a temporary database server failed.
    #[error("cannot {operation}: {cause}")]
    Database {
        /// Failed operation.
        operation: &'static str,
        /// Cause.
        cause: mysql_async::Error,
    },
    /// The demo sessions did not start waiting for locks before the timeout.
    #[error("the demo sessions did not start waiting for locks within {} s", .limit.as_secs())]
    SessionsNotBlocked {
        /// Timeout for waiting until the demo sessions are blocked.
        limit: Duration,
    },
    /// A temporary database server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The directory for installed servers could not be created or locked.
    #[error(transparent)]
    Setup(#[from] DownloadsDirError),
    /// Names of the checks that failed.
    #[error("failed checks: {0}")]
    Checks(String),
    /// Missing packages that only root can install.
    #[error("{missing} must be installed, which requires root. Run this command, then try again:\n  {command}")]
    RootRequired {
        /// Names of the missing packages.
        missing: String,
        /// Shell command that installs the packages.
        command: String,
    },
    /// The Python environment lacks packages that the tests need.
    #[error(
        "{} lacks Python packages that the tests require. Fix: run `{0} -m pip install -r {PIP_REQUIREMENTS_PATH}`, or unset {PYTHON_INTERPRETER_ENV_VAR}",
        .python.display()
    )]
    MissingClients {
        /// Path of the Python interpreter.
        python: PathBuf,
    },
    /// Node.js is missing or too old to build the web page.
    #[error("the web page requires Node.js {required} or newer, but {found}; the Rust program builds without it")]
    MissingNode {
        /// Minimum version.
        required: String,
        /// Description of the installed version.
        found: String,
    },
    /// Cargo did not build the requested executable.
    #[error("cargo did not build the {kind} target {name}")]
    NotBuilt {
        /// Kind of cargo target.
        kind: String,
        /// Name of the cargo target.
        name: String,
    },
}

impl DevtoolsError {
    /// Returns a function that converts an I/O error to [`DevtoolsError::File`].
    pub fn file(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { operation, path, cause }
    }

    /// Returns a function that converts a MySQL client error to [`DevtoolsError::Database`].
    pub fn database(operation: &'static str) -> impl Fn(mysql_async::Error) -> Self + Copy {
        move |cause| Self::Database { operation, cause }
    }

    /// Creates the error for program output in an unexpected format.
    pub fn unexpected_output_error(command: impl Into<String>, cause: impl Display, output: impl Into<String>) -> Self {
        Self::UnexpectedOutput { command: command.into(), cause: cause.to_string(), output: output.into() }
    }
}
