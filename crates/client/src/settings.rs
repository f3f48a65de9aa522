//! Settings of the client: timeouts, retries and poll interval.

use std::time::Duration;

/// Settings of the client. The defaults suit interactive commands and scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Timeout of a connection attempt, including the TLS handshake.
    pub connect_timeout: Duration,
    /// Timeout of a request until the response is complete. In a download, the timeout applies to each chunk.
    pub response_timeout: Duration,
    /// Maximum number of attempts per request, including the first one.
    pub max_attempts: u32,
    /// Back-off before the second attempt. Each further attempt doubles the back-off.
    /// Random jitter shortens each back-off by up to half.
    pub initial_backoff: Duration,
    /// Maximum back-off. If `Retry-After` is longer, the request is not retried.
    pub max_backoff: Duration,
    /// Maximum number of resumptions of a download.
    pub max_interruptions: u32,
    /// Initial poll interval for the state of a collection, for servers without long polling.
    /// The interval increases up to eight times this value.
    pub poll_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_mins(1),
            max_attempts: 5,
            initial_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            max_interruptions: 10,
            poll_interval: Duration::from_millis(250),
        }
    }
}
