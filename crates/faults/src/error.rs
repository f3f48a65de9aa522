//! Why a run could not be brought to its end. A broken promise is none of these: it stands in the report.

use std::io;
use std::path::PathBuf;

use clew_client::ClientError;
use clew_store::StoreError;
use clew_testkit::ServerError;

/// What was being done, to what, and the cause.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// A server that Clew stands on.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A file, a process, a connection.
    #[error("could not {doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A process of Clew did not do what it should.
    #[error("{name}: {reason}; its log is {}", log.display())]
    Clew {
        /// Which.
        name: String,
        /// What it did, or did not.
        reason: String,
        /// Where it wrote what it said.
        log: PathBuf,
    },
    /// Looking at the rows.
    #[error("could not {doing}: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: sqlx::Error,
    },
    /// The client could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The clean-up.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fault had no effect, so nothing was tried.
    #[error("the fault {fault} did not take effect: {reason}")]
    WithoutEffect {
        /// Which.
        fault: &'static str,
        /// What was looked for in vain.
        reason: String,
    },
    /// No fault has this name.
    #[error("no fault is called {name}; they are: {known}")]
    NoFault {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
}

/// For `map_err`.
pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> FaultsError {
    move |source| FaultsError::Io { doing, source }
}

/// For `map_err`.
pub(crate) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> FaultsError {
    move |source| FaultsError::Database { doing, source }
}
