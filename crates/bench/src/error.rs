//! Error type of the benchmarks.

use clew_client::ClientError;
use clew_devtools::DevtoolsError;
use clew_testkit::ServerError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error(transparent)]
    Devtools(#[from] DevtoolsError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("cannot prepare the benchmark: {0}")]
    Prepare(#[from] std::io::Error),
    #[error("cannot create an API client: {0}")]
    Client(#[from] ClientError),
}

pub(crate) fn wrong_count_error(subject: &str, found: u64, expected: u64) -> BenchError {
    DevtoolsError::Failed(format!("wrong count in `{subject}`: {found} instead of {expected}")).into()
}
