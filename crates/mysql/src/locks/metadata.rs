//! Metadata locks, of both families.

use std::collections::HashSet;

use clew_diagnose::waits::{LockStatus, MetadataKind, MetadataLock, MetadataMode, MetadataObject};
use clew_model::Failure;

use super::access::Access;
use super::prepared::Prepared;
use super::text::text;
use super::threads::Threads;
use crate::connection::Connection;
use crate::statements;

/// A metadata lock as it was read.
#[derive(Debug)]
pub(super) struct ReadLock {
    lock: MetadataLock,
    /// Thread of performance_schema; nothing where the session itself was read.
    thread: Option<u64>,
    /// Whether it ends with its transaction.
    of_transaction: bool,
}

/// All locks, from wherever they can be read. Where the instrument was turned on late, the plugin knows those from before.
pub(super) async fn read(connection: &mut Connection, access: Access) -> Result<Vec<ReadLock>, Failure> {
    let mut locks = Vec::new();
    if access.metadata_locks {
        let rows: Vec<LockRow> =
            connection.ask(statements::METADATA_LOCKS).await.map_err(|error| connection.failed(&error))?;
        locks.extend(rows.into_iter().filter_map(recorded));
    }
    if access.plugin {
        let rows: Vec<HeldRow> =
            connection.ask(statements::HELD_METADATA_LOCKS).await.map_err(|error| connection.failed(&error))?;
        locks.extend(rows.into_iter().filter_map(held));
    }
    Ok(locks)
}

/// A row of `metadata_locks`: kind, schema, name, mode, status, thread, duration.
type LockRow = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>, Vec<u8>, Option<u64>, Vec<u8>);

fn recorded((kind, schema, name, mode, status, thread, duration): LockRow) -> Option<ReadLock> {
    let kind = MetadataKind::parse(&text(kind));
    Some(ReadLock {
        lock: MetadataLock {
            object: MetadataObject::new(kind, schema.map(text), name.map(text)),
            mode: MetadataMode::parse(&text(mode))?,
            status: LockStatus::parse(&text(status))?,
            session: None,
        },
        thread,
        of_transaction: duration == b"TRANSACTION",
    })
}

/// A row of `metadata_lock_info`: kind, schema, name, mode, session.
type HeldRow = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, u64);

fn held((kind, schema, name, mode, session): HeldRow) -> Option<ReadLock> {
    let kind = MetadataKind::parse(&text(kind?));
    Some(ReadLock {
        lock: MetadataLock {
            object: MetadataObject::new(kind, schema.map(text), name.map(text)),
            mode: MetadataMode::parse(&text(mode?))?,
            status: LockStatus::Granted,
            session: Some(session),
        },
        thread: None,
        of_transaction: false,
    })
}

impl ReadLock {
    /// The session that it is listed under.
    pub(super) fn session(&self, threads: &Threads) -> Option<u64> {
        self.lock.session.or_else(|| threads.session(self.thread?))
    }

    /// The lock with its owner. MySQL lists the locks of a prepared XA transaction under the thread that prepared it, which may
    /// have ended, or go on with other work; a lock of a thread that ended otherwise is let go by now.
    pub(super) fn owned(
        mut self,
        threads: &Threads,
        prepared: &[Prepared],
        with_transaction: &HashSet<u64>,
    ) -> Option<MetadataLock> {
        let Some(thread) = self.thread else { return Some(self.lock) };
        self.lock.session = threads.session(thread);
        let left_behind = prepared.iter().any(|prepared| prepared.may_own(thread, &self.lock.object));
        match self.lock.session {
            None => left_behind.then_some(self.lock),
            Some(session) if left_behind && self.of_transaction && !with_transaction.contains(&session) => {
                Some(MetadataLock { session: None, ..self.lock })
            }
            Some(_) => Some(self.lock),
        }
    }
}
