//! Client settings: timeouts, retries and the poll interval.

use std::time::Duration;

/// Client settings. The default values suit interactive commands and scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Timeout for a connection attempt, including the TLS handshake.
    pub connect_timeout: Duration,
    /// Timeout for receiving the complete response to a request, or the next chunk of a download.
    pub response_timeout: Duration,
    /// Maximum number of attempts per request, including the first attempt.
    pub max_attempts: u32,
    /// Delay before the first retry of a request. The delay doubles with each subsequent retry.
    /// Random jitter shortens each delay by up to half.
    pub initial_backoff: Duration,
    /// Maximum delay between two attempts. If `Retry-After` is longer, the client does not retry the request.
    pub max_backoff: Duration,
    /// Maximum number of times that the client resumes an interrupted download.
    pub max_interruptions: u32,
    /// Initial interval for polling the state of a collection task if the server does not support long polling.
    /// The poll interval increases to at most eight times the initial interval.
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
