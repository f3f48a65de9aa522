//! How long the client waits, and how often it tries.

use std::time::Duration;

/// Limits of the client. The default suits people and scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Longest time to connect, TLS included.
    pub connect: Duration,
    /// Longest time from the start of a request to its whole answer; for a download, to each next piece of it.
    pub answer: Duration,
    /// How often a request is sent at most, the first time included.
    pub attempts: u32,
    /// Pause before the second attempt; it doubles each time, and up to half of it is taken off at random.
    pub first_pause: Duration,
    /// Longest pause. A server that asks for a longer one (`Retry-After`) is not asked again.
    pub longest_pause: Duration,
    /// How often a download is taken up again at most.
    pub interruptions: u32,
    /// Least time between two questions for the state of a collection, of a server that does not wait with its answer; it grows to
    /// eight times that.
    pub poll: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_mins(1),
            attempts: 5,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            interruptions: 10,
            poll: Duration::from_millis(250),
        }
    }
}
