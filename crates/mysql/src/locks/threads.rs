//! Maps thread ids from performance_schema and from InnoDB lock waits to session ids.

use std::collections::{HashMap, HashSet};

use clew_diagnose::lock_waits::InnoDbLockWait;
use clew_model::Failure;

use super::readable_lock_tables::ReadableLockTables;
use crate::connection::Connection;
use crate::sql_statements;

/// Maps performance_schema thread ids to session ids. Omits threads that have ended or have no session.
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

    /// Sets the session ids in `wait`. `owners` contains the thread ids of the waiter and the blocker, in this order.
    pub(super) fn add_session_ids(&self, mut wait: InnoDbLockWait, owners: [Option<u64>; 2]) -> InnoDbLockWait {
        [wait.waiting.session, wait.blocking.session] = owners.map(|thread| self.session_id(thread?));
        wait
    }

    pub(super) fn find_session_threads(&self, sessions: &[u64]) -> HashMap<u64, u64> {
        let wanted = self.sessions.iter().filter(|(_, session)| sessions.contains(session));
        wanted.map(|(&thread, &session)| (thread, session)).collect()
    }
}

/// Maps thread ids to session ids. Call this function after reading the lock tables, so that no lock owner is missing.
pub(super) async fn read_session_ids_by_thread(
    connection: &mut Connection,
    capabilities: ReadableLockTables,
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
