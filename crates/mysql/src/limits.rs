//! Time and size limits of a read.

use std::time::Duration;

/// Time and size limits of a read from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Timeout of the complete read, from acquiring the permit to the last row.
    pub read_timeout: Duration,
    /// Timeout of connecting: DNS lookup, TCP, TLS and login. Included in `read_timeout`.
    pub connect_timeout: Duration,
    /// Maximum number of bytes received during the read. Protects memory and disk from malicious servers.
    pub max_bytes: u64,
}

impl ReadLimits {
    /// Timeout for acquiring a connection permit: half of `read_timeout`, which leaves the other half for the read.
    pub(crate) fn connection_permit_timeout(&self) -> Duration {
        self.read_timeout / 2
    }
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { read_timeout: Duration::from_secs(10), connect_timeout: Duration::from_secs(5), max_bytes: 1 << 30 }
    }
}
