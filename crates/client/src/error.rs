//! What can go wrong, in words for people.

use std::time::Duration;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client was built with something that cannot work.
    #[error("the client cannot be set up: {0}")]
    Setup(String),
    /// The server answered with an error.
    #[error("{doing}: {error_msg} ({error_code}, HTTP {status}{})", request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default())]
    Api {
        /// What was being done.
        doing: &'static str,
        /// HTTP status.
        status: u16,
        /// Code of the service, such as `DBS.280001`; the status if the body has none.
        error_code: String,
        /// Message of the service.
        error_msg: String,
        /// The server's name for the request, to quote when asking for help.
        request_id: Option<String>,
        /// How long the server asks to wait before the next attempt.
        retry_after: Option<Duration>,
    },
    /// No connection: nothing listens there, the name is unknown, TLS failed.
    #[error(
        "{doing}: cannot connect to {endpoint}: {}; check the endpoint, the network and, for https, the certificate",
        cause(source)
    )]
    Connect {
        /// What was being done.
        doing: &'static str,
        /// Where to.
        endpoint: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// No answer in time.
    #[error("{doing}: {endpoint} did not answer within {limit:?}")]
    Timeout {
        /// What was being done.
        doing: &'static str,
        /// Who did not answer.
        endpoint: String,
        /// The limit.
        limit: Duration,
    },
    /// The connection broke before the whole answer was there.
    #[error("{doing}: the connection to {endpoint} broke: {}", cause(source))]
    ConnectionLost {
        /// What was being done.
        doing: &'static str,
        /// Whose connection.
        endpoint: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// An answer that this API does not give.
    #[error("{doing}: {endpoint} gave an answer that is not of this API: {why}; is the endpoint right?")]
    NotUnderstood {
        /// What was being done.
        doing: &'static str,
        /// Whose answer.
        endpoint: String,
        /// What is wrong with it.
        why: String,
    },
    /// The region has no project for these credentials, or several.
    #[error(
        "looking up the project of region {region}: exactly one must match, but {found}; give the project id instead"
    )]
    ProjectLookup {
        /// The region.
        region: String,
        /// What was found.
        found: String,
    },
    /// A collection has not ended in time. It goes on, and can be asked for again.
    #[error("the collection {request_id} is still running after {limit:?}; ask for it again later")]
    StillRunning {
        /// The collection.
        request_id: String,
        /// How long was waited.
        limit: Duration,
    },
    /// A download broke too often.
    #[error("downloading a result: broke off {interruptions} times, the last time after {received} bytes: {last}")]
    TooManyInterruptions {
        /// How often.
        interruptions: u32,
        /// Bytes that have been written.
        received: u64,
        /// What broke it the last time.
        last: Box<ClientError>,
    },
    /// The result ended before the length that the server had told, or went past it.
    #[error("downloading a result: {received} bytes came, but the server had told {total}")]
    WrongLength {
        /// Bytes that came.
        received: u64,
        /// Bytes that were told.
        total: u64,
    },
    /// The bytes could not be written where they should go.
    #[error("downloading a result: cannot write it: {0}")]
    Write(#[from] std::io::Error),
}

impl ClientError {
    /// HTTP status of an error of the API.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// The innermost cause: reqwest's own words say only where it was.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
