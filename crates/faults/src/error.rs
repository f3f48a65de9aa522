//! Errors that abort a run. The report, not an error, contains violated invariants.

use std::io;
use std::path::PathBuf;

use clew_client::ClientError;
use clew_store::StoreError;
use clew_testkit::ServerError;

/// Error of a run: the failed operation, its object and the cause.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// A private server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A file, process or network operation failed.
    #[error("cannot {operation}: {source}")]
    Io {
        /// Failed operation.
        operation: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// A Clew process behaved unexpectedly.
    #[error("{name}: {reason}; its log is {}", log.display())]
    Process {
        /// Name of the process.
        name: String,
        /// Unexpected behavior.
        reason: String,
        /// Log file of the process.
        log: PathBuf,
    },
    /// A query of the metadata database failed.
    #[error("cannot {operation}: {source}")]
    Database {
        /// Failed operation.
        operation: &'static str,
        /// Cause.
        source: sqlx::Error,
    },
    /// An API client could not be created.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The store failed during the final cleanup.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fault had no effect, so the run tested nothing.
    #[error("the fault {fault} did not take effect: {reason}")]
    NoEffect {
        /// Name of the fault.
        fault: &'static str,
        /// Missing effect.
        reason: String,
    },
    /// The name of a fault is unknown.
    #[error("unknown fault {name}; the faults are: {names}")]
    UnknownFault {
        /// Given name.
        name: String,
        /// Names of all faults.
        names: String,
    },
}

/// Returns a mapping of I/O errors for `map_err`.
pub(crate) fn io(operation: &'static str) -> impl FnOnce(io::Error) -> FaultsError {
    move |source| FaultsError::Io { operation, source }
}

/// Returns a mapping of database errors for `map_err`.
pub(crate) fn database(operation: &'static str) -> impl FnOnce(sqlx::Error) -> FaultsError {
    move |source| FaultsError::Database { operation, source }
}
