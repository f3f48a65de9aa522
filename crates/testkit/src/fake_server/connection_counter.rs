//! How many connections there are, were at once, and were in all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The connections of a fake, or of a fleet of them.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounter {
    open: AtomicU64,
    max_open: AtomicU64,
    accepted: AtomicU64,
}

/// One that is open, as each of these counters it. Dropping this closes it.
#[derive(Debug)]
pub(super) struct OpenConnection([Arc<ConnectionCounter>; 2]);

impl ConnectionCounter {
    /// Open now.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(SeqCst)
    }

    /// Open at once, at max_open until now.
    pub(crate) fn max_open(&self) -> u64 {
        self.max_open.load(SeqCst)
    }

    /// Taken until now.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(SeqCst)
    }
}

impl OpenConnection {
    pub(super) fn of(counters: [Arc<ConnectionCounter>; 2]) -> Self {
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
