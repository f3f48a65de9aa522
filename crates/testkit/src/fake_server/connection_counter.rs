//! Counter of open, simultaneous and accepted connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Connection counts of a fake server or of a fleet.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounter {
    open: AtomicU64,
    max_open: AtomicU64,
    accepted: AtomicU64,
}

/// An open connection in two counters. Dropping this closes it.
#[derive(Debug)]
pub(super) struct OpenConnection([Arc<ConnectionCounter>; 2]);

impl ConnectionCounter {
    /// Number of open connections.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(SeqCst)
    }

    /// Maximum number of simultaneous connections.
    pub(crate) fn max_open(&self) -> u64 {
        self.max_open.load(SeqCst)
    }

    /// Number of accepted connections.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(SeqCst)
    }
}

impl OpenConnection {
    pub(super) fn new(counters: [Arc<ConnectionCounter>; 2]) -> Self {
        for counter in &counters {
            counter.accepted.fetch_add(1, SeqCst);
            let open = counter.open.fetch_add(1, SeqCst) + 1;
            counter.max_open.fetch_max(open, SeqCst);
        }
        Self(counters)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        for counter in &self.0 {
            counter.open.fetch_sub(1, SeqCst);
        }
    }
}
