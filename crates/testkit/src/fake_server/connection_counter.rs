//! Counts accepted connections, open connections and logins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Connection counts of one fake server, or the totals for a fleet of fake servers.
#[derive(Debug, Default)]
pub struct ConnectionCounter {
    open: AtomicU64,
    max_open: AtomicU64,
    accepted: AtomicU64,
    logins: AtomicU64,
}

impl ConnectionCounter {
    /// Returns the number of open connections.
    #[must_use]
    pub fn open_count(&self) -> u64 {
        self.open.load(SeqCst)
    }

    /// Returns the maximum number of connections that were open at the same time.
    #[must_use]
    pub fn peak_count(&self) -> u64 {
        self.max_open.load(SeqCst)
    }

    /// Returns the number of accepted connections.
    #[must_use]
    pub fn accepted_count(&self) -> u64 {
        self.accepted.load(SeqCst)
    }

    /// Returns the number of logins with the account in [`FakeServer::url`](crate::FakeServer::url).
    #[must_use]
    pub fn login_count(&self) -> u64 {
        self.logins.load(SeqCst)
    }
}

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
