//! What goes wrong with private servers.

use std::io;
use std::path::PathBuf;

use crate::setup;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It is not installed.
    #[error("{server} is not installed ({} is missing); run cargo xtask test, which installs it", program.display())]
    Missing {
        /// Which.
        server: &'static str,
        /// What is missing.
        program: PathBuf,
    },
    /// The folder of servers.
    #[error(transparent)]
    Setup(#[from] setup::SetupError),
    /// A file or process.
    #[error("could not {doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A program said no.
    #[error("could not {doing}. Its log:\n{log}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        log: String,
    },
}
