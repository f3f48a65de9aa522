//! Time and size limits for reading data from a node.

use std::time::Duration;

/// Time and size limits for reading data from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Timeout for an entire read operation, including the time spent waiting for a connection permit.
    pub read_timeout: Duration,
    /// Timeout for DNS lookup, TCP connection, TLS handshake and login.
    /// The time spent on connecting and logging in also counts toward `read_timeout`.
    pub connect_timeout: Duration,
    /// Size limits for the data received from the node.
    pub bytes: ReadSizeLimits,
}

/// Size limits for data received from a node. The limits protect Clew from malicious servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadSizeLimits {
    /// Maximum number of bytes received per read operation.
    pub per_read: u64,
    /// Maximum number of bytes per row. Clew truncates longer rows while receiving them.
    /// The minimum value of `per_row` is [`ReadSizeLimits::MIN_ROW_SIZE_LIMIT_BYTES`].
    pub per_row: usize,
    /// Maximum number of bytes that one result set or session list occupies in memory.
    pub in_memory: usize,
}

impl ReadSizeLimits {
    /// Minimum allowed value of `per_row`, in bytes (1 MiB).
    pub const MIN_ROW_SIZE_LIMIT_BYTES: usize = 1 << 20;

    /// Default limits.
    pub const DEFAULT: Self = Self { per_read: 1 << 30, per_row: 64 << 20, in_memory: 256 << 20 };
}

impl Default for ReadSizeLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl ReadLimits {
    /// Returns a copy of the limits, with the read timeout and the connect timeout capped at `max`.
    pub(crate) fn with_max_timeout(self, max: Duration) -> Self {
        Self { read_timeout: self.read_timeout.min(max), connect_timeout: self.connect_timeout.min(max), ..self }
    }
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            read_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            bytes: ReadSizeLimits::default(),
        }
    }
}
