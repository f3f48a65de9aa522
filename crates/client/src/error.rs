//! Errors of the client.

use std::time::Duration;

/// Error of a request.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Invalid configuration of the client.
    #[error("the client cannot be set up: {0}")]
    Setup(String),
    /// Error response of the API.
    #[error("{operation}: {error_msg} ({error_code}, HTTP {status}{})", request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default())]
    Api {
        /// Operation that failed.
        operation: &'static str,
        /// HTTP status.
        status: u16,
        /// Error code of the service, such as `DBS.280001`; the HTTP status if the body contains no code.
        error_code: String,
        /// Error message of the service.
        error_msg: String,
        /// Request id of the server, for support requests.
        request_id: Option<String>,
        /// Delay that the server requests before the next attempt (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// No connection: refused, unknown host, or TLS error.
    #[error(
        "{operation}: cannot connect to {endpoint}: {}; check the endpoint, the network and, for https, the certificate",
        root_cause(source)
    )]
    Connect {
        /// Operation that failed.
        operation: &'static str,
        /// Endpoint of the connection attempt.
        endpoint: String,
        /// Cause.
        source: reqwest::Error,
    },
    /// No complete response within the timeout.
    #[error("{operation}: {endpoint} did not answer within {limit:?}")]
    Timeout {
        /// Operation that failed.
        operation: &'static str,
        /// Endpoint that did not respond.
        endpoint: String,
        /// Timeout.
        limit: Duration,
    },
    /// Connection lost before the response was complete.
    #[error("{operation}: the connection to {endpoint} broke: {}", root_cause(source))]
    ConnectionLost {
        /// Operation that failed.
        operation: &'static str,
        /// Endpoint of the connection.
        endpoint: String,
        /// Cause.
        source: reqwest::Error,
    },
    /// Response that does not conform to this API.
    #[error("{operation}: {endpoint} gave an answer that is not of this API: {why}; is the endpoint right?")]
    InvalidResponse {
        /// Operation that failed.
        operation: &'static str,
        /// Endpoint of the response.
        endpoint: String,
        /// Reason why the response is invalid.
        why: String,
    },
    /// The region has no project for the credentials, or several.
    #[error(
        "looking up the project of region {region}: exactly one must match, but {found}; give the project id instead"
    )]
    ProjectLookup {
        /// Region.
        region: String,
        /// Description of the projects found.
        found: String,
    },
    /// The wait for a collection timed out. The collection continues, and its state can be requested later.
    #[error("the collection {request_id} is still running after {limit:?}; ask for it again later")]
    StillRunning {
        /// Id of the collection.
        request_id: String,
        /// Duration of the wait.
        limit: Duration,
    },
    /// A download was interrupted too often.
    #[error("downloading a result: broke off {interruptions} times, the last time after {received} bytes: {last}")]
    TooManyInterruptions {
        /// Number of interruptions.
        interruptions: u32,
        /// Bytes written.
        received: u64,
        /// Error of the last interruption.
        last: Box<ClientError>,
    },
    /// The result is shorter or longer than the length that the server announced.
    #[error("downloading a result: {received} bytes came, but the server had told {total}")]
    LengthMismatch {
        /// Bytes received.
        received: u64,
        /// Bytes announced.
        total: u64,
    },
    /// The sink cannot write the result.
    #[error("downloading a result: cannot write it: {0}")]
    Write(#[from] std::io::Error),
}

impl ClientError {
    /// HTTP status of an error response of the API.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Message of the innermost cause. The outer messages of reqwest only describe the context.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
