//! Error type of the benchmarks.

use std::net::SocketAddr;

use clew_client::ClientError;
use clew_devtools::DevtoolsError;
use clew_testkit::ServerError;

/// Error of a benchmark.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error(transparent)]
    Devtools(#[from] DevtoolsError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("cannot put the server under load: {cause}")]
    Load {
        #[from]
        cause: std::io::Error,
    },
    #[error("wrong count in `{subject}`: {found} instead of {expected}")]
    WrongCount { subject: String, found: u64, expected: u64 },
    #[error("no benchmark case starts with {name}; the cases are: {names}")]
    UnknownCase { name: String, names: String },
    #[error("cannot send a request to {address}: {cause}")]
    Http { address: SocketAddr, cause: std::io::Error },
    #[error("cannot create an API client: {0}")]
    Client(#[from] ClientError),
    #[error("{cause}. Last lines of the server's log:\n{log}")]
    Request { cause: Box<ClientError>, log: String },
}
