//! Errors of servers that tests start.

use std::io;
use std::path::PathBuf;

use crate::test_tools;

/// Error returned if a test cannot start or control a server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The server is not installed.
    #[error("{server} is not installed ({} is missing). Fix: run cargo xtask test", program.display())]
    Missing {
        /// Name of the server.
        server: &'static str,
        /// Path of the missing program.
        program: PathBuf,
    },
    /// The directory for downloaded server programs cannot be created or locked.
    #[error(transparent)]
    Setup(#[from] test_tools::DownloadsDirError),
    /// A file or process operation failed.
    #[error("cannot {operation}: {source}")]
    Io {
        /// Failed operation.
        operation: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// A program failed.
    #[error("cannot {operation}. Its log:\n{log}")]
    Failed {
        /// Failed operation.
        operation: &'static str,
        /// Output of the program.
        log: String,
    },
}

impl ServerError {
    pub(crate) fn io(operation: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, source }
    }
}
