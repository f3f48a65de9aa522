//! Settings of the client: timeouts, retries and poll interval.

use std::time::Duration;

/// Settings of the client. The defaults suit interactive use and scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Timeout of a connection attempt, including the TLS handshake.
    pub connect: Duration,
    /// Timeout of a request, until its complete response. For a download it applies to each chunk.
    pub answer: Duration,
    /// Maximum number of attempts per request, including the first one.
    pub attempts: u32,
    /// Back-off before the second attempt. It doubles with each attempt, and random jitter shortens it by up to half.
    pub first_pause: Duration,
    /// Maximum back-off. If `Retry-After` is longer, the request is not retried.
    pub max_backoff: Duration,
    /// Maximum number of times that an interrupted download is resumed.
    pub interruptions: u32,
    /// Initial interval at which the state of a collection is polled, for servers without long polling.
    /// The interval grows to eight times this value.
    pub poll: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_mins(1),
            attempts: 5,
            first_pause: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            interruptions: 10,
            poll: Duration::from_millis(250),
        }
    }
}
