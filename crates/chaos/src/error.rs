//! Errors that abort a fault injection run. An invariant violation does not abort the run; the report lists it.

use std::fmt::Display;

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
    /// An operation on the deployment, a process, a file or the metadata database failed.
    #[error(transparent)]
    Devtools(#[from] DevtoolsError),
    /// An API client could not be created.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A store operation failed during the final cleanup.
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(crate) fn operation_error<E: Display>(operation: &'static str) -> impl Fn(E) -> ChaosError + Copy {
    move |cause| DevtoolsError::operation_error(operation)(cause).into()
}
