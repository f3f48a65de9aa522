//! How long a node may take.

use std::time::Duration;

/// Limits of one read. A hung node costs its own reader this long, and nobody else anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For the whole read, from the first packet to the last row.
    pub node: Duration,
    /// For a connection: address look-up, TCP, TLS and sign-in. Part of `node`.
    pub connect: Duration,
    /// Bytes that a server may send during the read: a server that is not trusted must not fill memory or disk.
    pub bytes: u64,
}

impl Limits {
    /// For a place at the node: half of its time, so that whoever waited has as long to read. Part of `node`.
    pub(crate) fn place(&self) -> Duration {
        self.node / 2
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { node: Duration::from_secs(10), connect: Duration::from_secs(5), bytes: 1 << 30 }
    }
}
