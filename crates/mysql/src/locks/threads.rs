//! Maps performance_schema thread ids, including those in InnoDB lock waits, to session ids.

use std::collections::{HashMap, HashSet};

use clew_diagnose::lock_waits::{InnoDbLock, InnoDbLockWait, LockOwner};
use clew_model::Failure;

use super::lock_table_access::LockTableAccess;
use crate::connection::Connection;
use crate::sql_statements;

/// The map contains only performance_schema threads that still exist and have a session.
#[derive(Debug, Default)]
pub(crate) struct SessionIdsByThread {
    sessions: HashMap<u64, u64>,
    appliers: HashSet<u64>,
}

impl SessionIdsByThread {
    pub(crate) fn session_id(&self, thread: u64) -> Option<u64> {
        self.sessions.get(&thread).copied()
    }

    pub(crate) fn is_replication_applier(&self, session: u64) -> bool {
        self.appliers.contains(&session)
    }

    pub(super) fn find_session_threads(&self, sessions: &[u64]) -> HashMap<u64, u64> {
        let wanted = self.sessions.iter().filter(|(_, session)| sessions.contains(session));
        wanted.map(|(&thread, &session)| (thread, session)).collect()
    }
}

/// Callers must read the lock tables first; otherwise, the thread of a lock holder could be missing from the map.
pub(super) async fn read_session_ids_by_thread(
    connection: &mut Connection,
    capabilities: LockTableAccess,
) -> Result<SessionIdsByThread, Failure> {
    if !capabilities.performance_schema {
        return Ok(SessionIdsByThread::default());
    }
    let rows: Vec<(u64, u64, bool)> = connection.read_rows(sql_statements::SESSION_IDS_BY_THREAD_QUERY).await?;
    let appliers = rows.iter().filter(|(_, _, applies)| *applies).map(|&(_, session, _)| session).collect();
    Ok(SessionIdsByThread {
        sessions: rows.into_iter().map(|(thread, session, _)| (thread, session)).collect(),
        appliers,
    })
}

/// InnoDB lock wait whose lock owners have not been mapped to sessions yet.
#[derive(Debug)]
pub(super) struct RowLockWaitWithThreadIds {
    pub(super) waiting: LockOwnerWithThreadId,
    pub(super) blocking: LockOwnerWithThreadId,
    pub(super) lock: InnoDbLock,
    pub(super) held_mode: Option<String>,
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
