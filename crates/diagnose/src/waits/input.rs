//! Input of the graph: data of a node. Each table is read once, over one connection, and joined only here.

use std::collections::BTreeMap;

use clew_model::{Limitation, Session, Transaction};

use super::metadata::{LockStatus, MetadataMode, MetadataObject};

/// Input of the graph. Data that could not be read is empty and has a limitation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockObservations {
    /// All sessions visible to the account, including internal ones, because an applier can block.
    pub sessions: Vec<ObservedSession>,
    /// All open transactions, including those without a session.
    pub transactions: Vec<ObservedTransaction>,
    /// InnoDB lock waits: `data_lock_waits` of MySQL, `innodb_lock_waits` of MariaDB.
    pub row_waits: Vec<RowWait>,
    /// Granted and pending metadata locks. Locks on objects without a pending request may be omitted, except on tables.
    pub metadata_locks: Vec<MetadataLock>,
    /// Whether `metadata_locks` includes pending requests.
    ///
    /// MariaDB's `metadata_lock_info` lists granted locks only.
    /// There the flag is false, and requests are inferred from the session's state and statement.
    pub reports_pending: bool,
    /// Latest statements of idle sessions' transactions, oldest first, by session.
    /// Read after a first graph has identified the roots.
    pub last_statements: BTreeMap<u64, Vec<Vec<u8>>>,
    /// Data that could not be read, with reasons.
    pub limitations: Vec<Limitation>,
}

/// A session with its role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedSession {
    /// Session as listed by the server. Its statement may be truncated, and may be a template.
    pub session: Session,
    /// Role of the session.
    pub role: SessionRole,
}

/// Role of a session. Only sessions with the role `User` can be victims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionRole {
    /// Session of an application or a person.
    #[default]
    User,
    /// Replication applier.
    Applier,
    /// Other internal thread of the server.
    Internal,
    /// Clew's own session.
    Clew,
}

/// An open transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedTransaction {
    /// The transaction. `session_id` is 0 if it has no session: prepared by XA, or its session has ended.
    pub transaction: Transaction,
    /// XA identifier as printed by `XA RECOVER`, if known.
    pub xid: Option<String>,
    /// Tables with InnoDB locks of the transaction, read only for transactions without a session.
    /// They identify the transaction that holds a metadata lock without owner.
    pub tables: Vec<TableName>,
}

/// A table by schema and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// Schema name.
    pub schema: String,
    /// Table name.
    pub table: String,
}

/// Wait of a transaction for a lock of another. The graph merges duplicates of the same pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWait {
    /// Owner of the waiting request.
    pub waiting: LockOwner,
    /// Owner of the granted lock, or of an earlier request.
    pub blocking: LockOwner,
    /// Requested lock.
    pub lock: LockedObject,
    /// Mode of the blocking lock, if known, such as `X,REC_NOT_GAP`.
    pub held_mode: Option<String>,
}

/// Owner of an InnoDB lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LockOwner {
    /// Transaction number. 0 is MariaDB's number for every read-only transaction.
    pub transaction: u64,
    /// Session, if the table of waits has it, as MySQL's does. Otherwise the transaction identifies it.
    pub session: Option<u64>,
}

/// Object and mode of an InnoDB lock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockedObject {
    /// Schema of the table.
    pub schema: Option<String>,
    /// Table name.
    pub table: Option<String>,
    /// Index; `None` for a table lock.
    pub index: Option<String>,
    /// Lock mode: `X`, `X,GAP`, `X,REC_NOT_GAP`, `X,INSERT_INTENTION`, `IX`, …
    pub mode: String,
    /// Whether it is a table lock, not a record lock.
    pub is_table_lock: bool,
    /// Locked row, as printed by the server.
    pub data: Option<String>,
}

/// Row of `metadata_locks`, or of MariaDB's `metadata_lock_info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataLock {
    /// Locked object.
    pub object: MetadataObject,
    /// Lock mode.
    pub mode: MetadataMode,
    /// Granted or pending.
    pub status: LockStatus,
    /// Session; `None` if the owner has no session, as for a prepared XA transaction.
    pub session: Option<u64>,
}
