//! Limits of one read of a node.

use std::time::Duration;

/// Time and size limits of one read of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Timeout of the whole read, from the permit to the last row.
    pub read_timeout: Duration,
    /// Timeout of connecting: DNS lookup, TCP, TLS and login. Part of `node`.
    pub connect_timeout: Duration,
    /// Maximum number of bytes received from the server during the read.
    /// Protects memory and disk from a malicious server.
    pub max_bytes: u64,
}

impl Limits {
    /// Timeout for acquiring a connection permit: half of `node`, so that half of the time is left to read.
    pub(crate) fn permit_timeout(&self) -> Duration {
        self.read_timeout / 2
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { read_timeout: Duration::from_secs(10), connect_timeout: Duration::from_secs(5), max_bytes: 1 << 30 }
    }
}
