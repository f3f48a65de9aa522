//! Defines the time and size limits for a read.

use std::time::Duration;

/// Time and size limits for a read from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Timeout for the complete read, from requesting the connection permit to the last row.
    pub read_timeout: Duration,
    /// Timeout for connecting, which includes DNS lookup, TCP, TLS and login. Counts towards `read_timeout`.
    pub connect_timeout: Duration,
    /// Maximum number of bytes that the client receives during the read. Limits the harm by malicious servers.
    pub max_bytes: u64,
}

impl ReadLimits {
    /// Returns the timeout for acquiring a connection permit: half of `read_timeout`. The read can use the other half.
    pub(crate) fn connection_permit_timeout(&self) -> Duration {
        self.read_timeout / 2
    }
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { read_timeout: Duration::from_secs(10), connect_timeout: Duration::from_secs(5), max_bytes: 1 << 30 }
    }
}
