//! How many connections there are, were at once, and were in all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The connections of a fake, or of a fleet of them.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: AtomicU64,
    most: AtomicU64,
    taken: AtomicU64,
}

/// One that is open, as each of these counts it. Dropping this closes it.
#[derive(Debug)]
pub(super) struct OpenConnection([Arc<Connections>; 2]);

impl Connections {
    /// Open now.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(SeqCst)
    }

    /// Open at once, at most until now.
    pub(crate) fn most(&self) -> u64 {
        self.most.load(SeqCst)
    }

    /// Taken until now.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(SeqCst)
    }
}

impl OpenConnection {
    pub(super) fn of(counts: [Arc<Connections>; 2]) -> Self {
        for count in &counts {
            count.taken.fetch_add(1, SeqCst);
            let open = count.open.fetch_add(1, SeqCst) + 1;
            count.most.fetch_max(open, SeqCst);
        }
        Self(counts)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        for count in &self.0 {
            count.open.fetch_sub(1, SeqCst);
        }
    }
}
