//! Errors of private servers.

use std::io;
use std::path::PathBuf;

use crate::toolchain;

/// Error of a private server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The server is not installed.
    #[error("{server} is not installed ({} is missing); run cargo xtask test, which installs it", program.display())]
    Missing {
        /// Name of the server.
        server: &'static str,
        /// Path of the missing program.
        program: PathBuf,
    },
    /// The directory of installed servers is not usable.
    #[error(transparent)]
    Setup(#[from] toolchain::SetupError),
    /// A file or process operation failed.
    #[error("could not {doing}: {source}")]
    Io {
        /// Failed operation.
        doing: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// A program failed.
    #[error("could not {doing}. Its log:\n{log}")]
    Failed {
        /// Failed operation.
        doing: &'static str,
        /// Output of the program.
        log: String,
    },
}
