//! Time and size limits for reading data from a node.

use std::time::Duration;

/// Time and size limits for reading data from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Timeout for a read operation, measured from requesting the connection permit to receiving the last row.
    pub read_timeout: Duration,
    /// Timeout for DNS lookup, TCP connection, TLS handshake and login.
    /// The time counts towards `read_timeout`.
    pub connect_timeout: Duration,
    /// Maximum number of bytes received per read operation, as protection against malicious servers.
    pub max_bytes: u64,
}

impl ReadLimits {
    /// Returns the timeout for acquiring a connection permit: half of `read_timeout`.
    pub(crate) fn connection_permit_timeout(&self) -> Duration {
        self.read_timeout / 2
    }
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { read_timeout: Duration::from_secs(10), connect_timeout: Duration::from_secs(5), max_bytes: 1 << 30 }
    }
}
