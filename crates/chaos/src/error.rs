//! Errors that abort a fault injection run. An invariant violation does not abort the run; the report lists it.

use std::io;
use std::path::PathBuf;

use clew_client::ClientError;
use clew_devtools::DevtoolsError;
use clew_store::StoreError;
use clew_testkit::ServerError;

/// Error that aborts a fault injection run.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// A server of the test cluster failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The deployment could not be initialized, or its nodes could not be registered.
    #[error(transparent)]
    Devtools(#[from] DevtoolsError),
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
    /// A metadata database query failed.
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
    /// A store operation failed during the final cleanup.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An injected fault had no effect, so the run did not test Clew under this fault.
    #[error("the fault {fault} did not take effect: {reason}")]
    NoEffect {
        /// Name of the fault.
        fault: &'static str,
        /// Description of the missing effect.
        reason: String,
    },
    /// No fault has this name.
    #[error("unknown fault {name}; the faults are: {names}")]
    UnknownFault {
        /// Unknown name.
        name: String,
        /// Names of all faults.
        names: String,
    },
}

pub(crate) fn io_error(operation: &'static str) -> impl FnOnce(io::Error) -> ChaosError {
    move |source| ChaosError::Io { operation, source }
}

pub(crate) fn database_error(operation: &'static str) -> impl FnOnce(sqlx::Error) -> ChaosError {
    move |source| ChaosError::Database { operation, source }
}
