//! Settings of the client: timeouts, retries and poll interval.

use std::time::Duration;

/// Settings of the client. The defaults suit interactive use and scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Timeout of a connection attempt, including the TLS handshake.
    pub connect_timeout: Duration,
    /// Timeout of a request, until its complete response. For a download it applies to each chunk.
    pub response_timeout: Duration,
    /// Maximum number of attempts per request, including the first one.
    pub max_attempts: u32,
    /// Back-off before the second attempt. It doubles with each attempt, and random jitter shortens it by up to half.
    pub initial_backoff: Duration,
    /// Maximum back-off. If `Retry-After` is longer, the request is not retried.
    pub max_backoff: Duration,
    /// Maximum number of times that an interrupted download is resumed.
    pub max_interruptions: u32,
    /// Initial interval at which the state of a collection is polled, for servers without long polling.
    /// The interval grows to eight times this value.
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
