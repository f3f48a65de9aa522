//! Counts accepted connections, open connections and logins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

#[derive(Debug, Default)]
pub(crate) struct ConnectionCounter {
    pub(crate) open: AtomicU64,
    pub(crate) max_open: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) logins: AtomicU64,
}

/// Guard that counts an open connection. Dropping the guard decrements the number of open connections.
#[derive(Debug)]
pub(super) struct OpenConnectionGuard([Arc<ConnectionCounter>; 2]);

impl OpenConnectionGuard {
    pub(super) fn new(counters: [Arc<ConnectionCounter>; 2]) -> Self {
        for counter in &counters {
            counter.accepted.fetch_add(1, SeqCst);
            let open = counter.open.fetch_add(1, SeqCst) + 1;
            counter.max_open.fetch_max(open, SeqCst);
        }
        Self(counters)
    }

    pub(super) fn increment_login_count(&self) {
        for counter in &self.0 {
            counter.logins.fetch_add(1, SeqCst);
        }
    }
}

impl Drop for OpenConnectionGuard {
    fn drop(&mut self) {
        for counter in &self.0 {
            counter.open.fetch_sub(1, SeqCst);
        }
    }
}
