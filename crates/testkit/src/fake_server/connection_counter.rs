//! Counts open and accepted connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Connection counts of a fake server or a fleet of fake servers.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounter {
    open: AtomicU64,
    max_open: AtomicU64,
    accepted: AtomicU64,
}

/// Guard that counts a connection as open for the server and the fleet until the guard is dropped.
#[derive(Debug)]
pub(super) struct OpenConnectionGuard([Arc<ConnectionCounter>; 2]);

impl ConnectionCounter {
    /// Returns the number of open connections.
    pub(crate) fn open_connection_count(&self) -> u64 {
        self.open.load(SeqCst)
    }

    /// Returns the peak number of concurrently open connections.
    pub(crate) fn peak_connection_count(&self) -> u64 {
        self.max_open.load(SeqCst)
    }

    /// Returns the number of connections accepted so far.
    pub(crate) fn accepted_connection_count(&self) -> u64 {
        self.accepted.load(SeqCst)
    }
}

impl OpenConnectionGuard {
    pub(super) fn new(counters: [Arc<ConnectionCounter>; 2]) -> Self {
        for counter in &counters {
            counter.accepted.fetch_add(1, SeqCst);
            let open = counter.open.fetch_add(1, SeqCst) + 1;
            counter.max_open.fetch_max(open, SeqCst);
        }
        Self(counters)
    }
}

impl Drop for OpenConnectionGuard {
    fn drop(&mut self) {
        for counter in &self.0 {
            counter.open.fetch_sub(1, SeqCst);
        }
    }
}
