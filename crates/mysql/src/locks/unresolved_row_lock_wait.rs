//! InnoDB lock waits whose lock owners have not been mapped to sessions yet.

use clew_diagnose::waits::{InnoDbLock, InnoDbLockWait, LockOwner};

use super::threads::SessionIdsByThread;

#[derive(Debug)]
pub(super) struct RowLockWaitWithThreadIds {
    waiting: LockOwnerWithThreadId,
    blocking: LockOwnerWithThreadId,
    lock: InnoDbLock,
    held_mode: Option<String>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct LockOwnerWithThreadId {
    pub(super) transaction: u64,
    /// Thread id in performance_schema.
    pub(super) thread: Option<u64>,
    pub(super) session: Option<u64>,
}

impl LockOwnerWithThreadId {
    fn into_lock_owner(self, threads: &SessionIdsByThread) -> LockOwner {
        let by_thread = || self.thread.and_then(|thread| threads.session_id(thread));
        LockOwner { transaction: self.transaction, session: self.session.or_else(by_thread) }
    }
}

impl RowLockWaitWithThreadIds {
    pub(super) fn new(
        waiting: LockOwnerWithThreadId,
        blocking: LockOwnerWithThreadId,
        lock: InnoDbLock,
        held_mode: Option<String>,
    ) -> Self {
        Self { waiting, blocking, lock, held_mode }
    }

    pub(super) fn session_ids(&self, threads: &SessionIdsByThread) -> impl Iterator<Item = u64> {
        [self.waiting, self.blocking].into_iter().filter_map(|owner| owner.into_lock_owner(threads).session)
    }

    pub(super) fn into_innodb_lock_wait(self, threads: &SessionIdsByThread) -> InnoDbLockWait {
        InnoDbLockWait {
            waiting: self.waiting.into_lock_owner(threads),
            blocking: self.blocking.into_lock_owner(threads),
            lock: self.lock,
            held_mode: self.held_mode,
        }
    }
}
