//! A wait for a lock of InnoDB as it was read: its ends are known in whichever way the server names them.

use clew_diagnose::waits::{LockOwner, LockedObject, RowWait};

use super::threads::Threads;

/// A wait whose ends are named by thread.
#[derive(Debug)]
pub(super) struct ReadWait {
    waiting: Owner,
    blocking: Owner,
    lock: LockedObject,
    held_mode: Option<String>,
}

/// Owner of a lock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) transaction: u64,
    /// Thread of performance_schema.
    pub(super) thread: Option<u64>,
    /// Session.
    pub(super) session: Option<u64>,
}

impl Owner {
    fn named(self, threads: &Threads) -> LockOwner {
        let by_thread = || self.thread.and_then(|thread| threads.session(thread));
        LockOwner { transaction: self.transaction, session: self.session.or_else(by_thread) }
    }
}

impl ReadWait {
    /// A wait of `waiting` for a lock of `blocking`.
    pub(super) fn new(waiting: Owner, blocking: Owner, lock: LockedObject, held_mode: Option<String>) -> Self {
        Self { waiting, blocking, lock, held_mode }
    }

    /// The sessions at its ends, as far as the server names them.
    pub(super) fn sessions(&self, threads: &Threads) -> impl Iterator<Item = u64> {
        [self.waiting, self.blocking].into_iter().filter_map(|owner| owner.named(threads).session)
    }

    /// The wait with its ends named by session.
    pub(super) fn named(self, threads: &Threads) -> RowWait {
        RowWait {
            waiting: self.waiting.named(threads),
            blocking: self.blocking.named(threads),
            lock: self.lock,
            held_mode: self.held_mode,
        }
    }
}
