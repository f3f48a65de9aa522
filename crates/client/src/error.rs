//! Client errors.

use std::time::Duration;

/// Error returned by [`crate::Client`].
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Invalid client configuration.
    #[error("invalid client configuration: {0}")]
    Setup(String),
    /// Error response from the API.
    #[error("{operation}: {error_msg} ({error_code}, HTTP {status}{})", request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default())]
    Api {
        /// Operation that failed.
        operation: &'static str,
        /// HTTP status.
        status: u16,
        /// Service error code, such as `DBS.280001`, or the HTTP status if the response body contains no code.
        error_code: String,
        /// Service error message.
        error_msg: String,
        /// Request id from the server, for use in support requests.
        request_id: Option<String>,
        /// Delay before a retry, as requested by the server in the `Retry-After` header.
        retry_after: Option<Duration>,
    },
    /// The client could not connect, for example because of an unknown host, a refused connection or a TLS error.
    #[error(
        "{operation}: cannot connect to {endpoint}: {}; check the endpoint, the network and, for https, the certificate",
        root_cause_message(source)
    )]
    Connect {
        /// Operation that failed.
        operation: &'static str,
        /// Endpoint of the connection attempt.
        endpoint: String,
        /// Cause.
        source: reqwest::Error,
    },
    /// The client did not receive a complete response within the timeout.
    #[error("{operation}: {endpoint} did not respond within {limit:?}")]
    Timeout {
        /// Operation that failed.
        operation: &'static str,
        /// Endpoint that did not respond.
        endpoint: String,
        /// Timeout that expired.
        limit: Duration,
    },
    /// The connection was lost before the client received the complete response.
    #[error("{operation}: lost the connection to {endpoint}: {}", root_cause_message(source))]
    ConnectionLost {
        /// Operation that failed.
        operation: &'static str,
        /// Endpoint of the connection.
        endpoint: String,
        /// Cause.
        source: reqwest::Error,
    },
    /// The response does not conform to the API specification.
    #[error("{operation}: invalid response from {endpoint}: {why}; check the endpoint")]
    InvalidResponse {
        /// Operation that failed.
        operation: &'static str,
        /// Endpoint of the response.
        endpoint: String,
        /// Reason why the response is invalid.
        why: String,
    },
    /// The API did not return exactly one valid project for the region.
    #[error("looking up the project of region {region}: expected one project, but {found}; set the project id instead")]
    ProjectLookup {
        /// Name of the region.
        region: String,
        /// Description of the matching projects.
        found: String,
    },
    /// The client stopped waiting for a collection task, but the task continues to run on the server.
    #[error("the collection {request_id} is still running after {limit:?}; request its state again later")]
    StillRunning {
        /// Id of the collection task.
        request_id: String,
        /// Duration of the wait.
        limit: Duration,
    },
    /// The download was interrupted more than `Settings::max_interruptions` times.
    #[error("downloading a result: interrupted {interruptions} times, last after {received} bytes: {last}")]
    TooManyInterruptions {
        /// Number of interruptions.
        interruptions: u32,
        /// Number of bytes written.
        received: u64,
        /// Error of the last interruption.
        last: Box<ClientError>,
    },
    /// The number of downloaded bytes differs from the `Content-Length` of the response.
    #[error("downloading a result: received {received} bytes, expected {total}")]
    LengthMismatch {
        /// Number of bytes received.
        received: u64,
        /// Expected number of bytes.
        total: u64,
    },
    /// The sink cannot write the result.
    #[error("downloading a result: cannot write the result: {0}")]
    Write(#[from] std::io::Error),
}

impl ClientError {
    /// Returns the HTTP status of an error response, or `None` for other errors.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Returns the message of the innermost error, because the outer reqwest errors do not contain the cause.
pub(crate) fn root_cause_message(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
