//! Reads metadata locks from MySQL and MariaDB.

use std::collections::HashSet;

use clew_diagnose::lock_waits::{
    LockStatus, MetadataLock, MetadataLockMode, MetadataLockObject, MetadataLockObjectKind,
};
use clew_model::Failure;

use super::identifiers::decode_text_column;
use super::prepared_xa_transactions::PreparedXaTransaction;
use super::readable_lock_tables::ReadableLockTables;
use super::threads::SessionIdsByThread;
use crate::connection::Connection;
use crate::sql_statements;

/// Metadata lock whose thread id Clew has not yet mapped to a session id.
#[derive(Debug)]
pub(super) struct MetadataLockWithThreadId {
    lock: MetadataLock,
    /// Thread id in performance_schema, or `None` if the lock table contains a session id instead.
    thread: Option<u64>,
    /// True if the metadata lock lasts until the end of the transaction.
    has_transaction_duration: bool,
}

/// MariaDB's `metadata_lock_info` also lists locks that were granted before the metadata lock instrument was enabled.
pub(super) async fn read_metadata_locks(
    connection: &mut Connection,
    capabilities: ReadableLockTables,
) -> Result<Vec<MetadataLockWithThreadId>, Failure> {
    let mut locks = Vec::new();
    if capabilities.metadata_locks {
        let rows: Vec<LockRow> = connection.read_rows(sql_statements::METADATA_LOCKS_QUERY).await?;
        locks.extend(rows.into_iter().filter_map(parse_lock_row));
    }
    if capabilities.plugin {
        let rows: Vec<HeldRow> = connection.read_rows(sql_statements::GRANTED_METADATA_LOCKS_QUERY).await?;
        locks.extend(rows.into_iter().filter_map(parse_granted_lock_row));
    }
    Ok(locks)
}

/// Row of `metadata_locks`: object type, schema, name, lock mode, status, thread id, and duration.
type LockRow = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>, Vec<u8>, Option<u64>, Vec<u8>);

fn parse_lock_row((kind, schema, name, mode, status, thread, duration): LockRow) -> Option<MetadataLockWithThreadId> {
    let kind = MetadataLockObjectKind::parse(&decode_text_column(kind));
    Some(MetadataLockWithThreadId {
        lock: MetadataLock {
            object: MetadataLockObject::new(kind, schema.map(decode_text_column), name.map(decode_text_column)),
            mode: MetadataLockMode::parse(&decode_text_column(mode))?,
            status: LockStatus::from_name(&decode_text_column(status))?,
            session: None,
        },
        thread,
        has_transaction_duration: duration == b"TRANSACTION",
    })
}

/// Row of `metadata_lock_info`: object type, schema, name, lock mode, and session id.
type HeldRow = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, u64);

fn parse_granted_lock_row((kind, schema, name, mode, session): HeldRow) -> Option<MetadataLockWithThreadId> {
    let kind = MetadataLockObjectKind::parse(&decode_text_column(kind?));
    Some(MetadataLockWithThreadId {
        lock: MetadataLock {
            object: MetadataLockObject::new(kind, schema.map(decode_text_column), name.map(decode_text_column)),
            mode: MetadataLockMode::parse(&decode_text_column(mode?))?,
            status: LockStatus::Granted,
            session: Some(session),
        },
        thread: None,
        has_transaction_duration: false,
    })
}

impl MetadataLockWithThreadId {
    pub(super) fn session_id(&self, threads: &SessionIdsByThread) -> Option<u64> {
        self.lock.session.or_else(|| threads.session_id(self.thread?))
    }

    /// Returns the metadata lock, or `None` if the lock has already been released.
    ///
    /// MySQL attributes the locks of a prepared XA transaction to the thread that prepared the transaction.
    /// The thread that prepared an XA transaction may have ended or may be running another statement.
    /// When a thread ends, the server releases the thread's metadata locks, except those of prepared XA transactions.
    pub(super) fn into_metadata_lock(
        mut self,
        threads: &SessionIdsByThread,
        prepared: &[PreparedXaTransaction],
        with_transaction: &HashSet<u64>,
    ) -> Option<MetadataLock> {
        let Some(thread) = self.thread else { return Some(self.lock) };
        self.lock.session = threads.session_id(thread);
        let left_behind = prepared.iter().any(|prepared| prepared.may_hold_metadata_lock(thread, &self.lock.object));
        match self.lock.session {
            None => left_behind.then_some(self.lock),
            Some(session) if left_behind && self.has_transaction_duration && !with_transaction.contains(&session) => {
                Some(MetadataLock { session: None, ..self.lock })
            }
            Some(_) => Some(self.lock),
        }
    }
}
