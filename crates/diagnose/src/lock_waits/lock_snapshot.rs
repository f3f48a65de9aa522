//! Input data for building the wait graph, with lookup tables for sessions and transactions.

use std::collections::HashMap;

use clew_model::{Limitation, LocalizedText, Session, Transaction};

use super::metadata_locks::{LockStatus, MetadataLockMode, MetadataLockObject, MetadataLockObjectKind};
use super::wait_state::{LockWaitState, parse_lock_wait_state};

/// Input data for the wait graph. Fields that Clew could not read are empty; `limitations` contains the reasons.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockSnapshot {
    /// All sessions visible to Clew's account, including internal sessions, which can be blockers.
    pub sessions: Vec<ObservedSession>,
    /// All open transactions, including transactions without a session.
    pub transactions: Vec<ObservedTransaction>,
    /// InnoDB lock waits: rows of `data_lock_waits` on MySQL or `innodb_lock_waits` on MariaDB.
    pub row_waits: Vec<InnoDbLockWait>,
    /// Granted and pending metadata locks.
    ///
    /// `metadata_locks` must contain all metadata locks on tables.
    /// `metadata_locks` may omit locks on schemas and other objects if no session waits for a lock of that kind.
    pub metadata_locks: Vec<MetadataLock>,
    /// True if `metadata_locks` includes pending lock requests.
    ///
    /// Without `performance_schema`, MariaDB lists only granted metadata locks, in `metadata_lock_info`.
    /// If the server does not report pending lock requests, Clew infers them from session states and statements.
    pub reports_pending: bool,
    /// Limitations of the input data.
    pub limitations: Vec<Limitation>,
    /// Note about missing lock data. Clew reports the note only if the blocker of a waiting session is unknown.
    pub unknown_blockers_limitation: Option<Limitation>,
}

/// Session with its role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedSession {
    /// Session from the process list. The statement may be truncated or replaced with its template.
    pub session: Session,
    /// Role of the session.
    pub role: SessionRole,
}

/// Role of a session. Clew kills only sessions with the role `User`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionRole {
    /// Session of an application or a user.
    #[default]
    User,
    /// Replication applier.
    Applier,
    /// Internal server thread other than a replication applier.
    Internal,
    /// Clew's own session.
    Clew,
}

/// Open transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedTransaction {
    /// Open transaction. For a transaction without a session, such as a prepared XA transaction, `session_id` is 0.
    pub transaction: Transaction,
    /// XA transaction identifier (XID) as printed by `XA RECOVER`, if known.
    pub xid: Option<String>,
    /// Tables on which a transaction without a session holds InnoDB locks; empty for other transactions.
    /// A metadata lock without a session belongs to a prepared XA transaction, which Clew identifies by the locked tables.
    pub tables: Vec<MetadataLockObject>,
}

/// InnoDB lock wait between two transactions.
///
/// The wait graph merges all InnoDB lock waits between the same two transactions into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnoDbLockWait {
    /// Owner of the waiting lock request.
    pub waiting: LockOwner,
    /// Owner of the blocking lock. The lock is either granted or precedes the waiting request in the lock queue.
    pub blocking: LockOwner,
    /// Requested row or table lock.
    pub on: LockResource,
    /// Mode of the requested lock, such as `X`, `X,GAP`, `X,REC_NOT_GAP`, `X,INSERT_INTENTION` or `IX`.
    pub mode: String,
    /// Mode of the blocking lock, if known, such as `X,REC_NOT_GAP`.
    pub held_mode: Option<String>,
}

/// Owner of an InnoDB lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LockOwner {
    /// Transaction id. MariaDB reports 0 for every read-only transaction.
    pub transaction: u64,
    /// Session id of the lock's owner, or `None` if the server does not report the session id.
    pub session: Option<u64>,
}

/// Locked resource, such as a row or table, that a session or transaction waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct LockResource {
    /// Kind of lock resource.
    pub kind: LockResourceKind,
    /// Schema of the lock resource.
    pub schema: Option<String>,
    /// Name of the table, routine, user lock or other object.
    pub name: Option<String>,
    /// Index of the locked record.
    pub index: Option<String>,
    /// Locked index record, as printed by the server.
    pub data: Option<String>,
}

impl LockResource {
    pub(super) fn new(kind: LockResourceKind, schema: Option<String>, name: Option<String>) -> Self {
        Self { kind, schema, name, index: None, data: None }
    }
}

/// Kind of lock resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum LockResourceKind {
    /// Row in an InnoDB table. The lock covers an index record or the gap before the record.
    #[default]
    Row,
    /// InnoDB table lock.
    InnoDbTable,
    /// Metadata lock.
    Metadata(MetadataLockObjectKind),
    /// Table flush. Sessions wait until other sessions close the flushed table.
    TableFlush,
    /// Table-level lock of a storage engine such as MyISAM.
    TableLevelLock,
}

impl LockResourceKind {
    /// Returns the localized name of a kind of lock resource, such as `row`.
    #[must_use]
    pub fn name(&self) -> LocalizedText {
        match self {
            Self::Row => LocalizedText::new("row", "行锁"),
            Self::InnoDbTable => LocalizedText::new("table lock of InnoDB", "InnoDB表锁"),
            Self::Metadata(MetadataLockObjectKind::Table) => LocalizedText::new("table metadata", "表元数据锁"),
            Self::Metadata(kind) => kind.name(),
            Self::TableFlush => LocalizedText::new("table flush", "表刷新"),
            Self::TableLevelLock => LocalizedText::new("table lock", "表级锁"),
        }
    }
}

/// Metadata lock: a row of `metadata_locks`, or of `metadata_lock_info` on MariaDB without `performance_schema`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataLock {
    /// Locked object.
    pub object: MetadataLockObject,
    /// Lock mode.
    pub mode: MetadataLockMode,
    /// Status of the lock: granted or pending.
    pub status: LockStatus,
    /// Session id of the lock owner. `None` if the owner, such as a prepared XA transaction, has no session.
    pub session: Option<u64>,
}

pub(super) struct LockSnapshotIndex<'a> {
    pub(super) observed: &'a LockSnapshot,
    pub(super) sessions: HashMap<u64, &'a ObservedSession>,
    pub(super) transactions: HashMap<u64, &'a ObservedTransaction>,
    /// Transactions without a session, such as prepared XA transactions, keyed by transaction id.
    pub(super) detached: HashMap<u64, &'a ObservedTransaction>,
    pub(super) wait_states: HashMap<u64, LockWaitState>,
}

impl<'a> LockSnapshotIndex<'a> {
    pub(super) fn new(observed: &'a LockSnapshot) -> Self {
        let (detached, transactions): (Vec<_>, Vec<_>) =
            observed.transactions.iter().partition(|facts| facts.transaction.session_id == 0);
        let wait_state =
            |facts: &ObservedSession| Some((facts.session.id, parse_lock_wait_state(facts.session.state.as_deref()?)?));
        Self {
            observed,
            sessions: observed.sessions.iter().map(|facts| (facts.session.id, facts)).collect(),
            transactions: transactions.into_iter().map(|facts| (facts.transaction.session_id, facts)).collect(),
            detached: detached.into_iter().map(|facts| (facts.transaction.id, facts)).collect(),
            wait_states: observed.sessions.iter().filter_map(wait_state).collect(),
        }
    }

    pub(super) fn seconds_in_state(&self, session: u64) -> Option<u64> {
        self.sessions.get(&session).map(|facts| facts.session.seconds)
    }
}
