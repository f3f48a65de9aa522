//! What was read of a node: each table once, over one connection, and joined here alone.

use std::collections::BTreeMap;

use clew_model::{Limitation, Session, Transaction};

use super::metadata::{LockStatus, MetadataMode, MetadataObject};

/// Everything that the graph is made from. What could not be read stays empty, and a limitation says so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// Every session that the account may see, internal ones too: an applier can block.
    pub sessions: Vec<SessionFacts>,
    /// Every open transaction, also those of no session.
    pub transactions: Vec<TransactionFacts>,
    /// Waits for InnoDB's locks: `data_lock_waits` of MySQL, `innodb_lock_waits` of MariaDB.
    pub row_waits: Vec<RowWait>,
    /// Metadata locks, held and asked for. Locks on objects that nobody asks for may be left out, except tables.
    pub metadata_locks: Vec<MetadataLock>,
    /// Whether `metadata_locks` holds requests that wait. MariaDB's `metadata_lock_info` lists granted locks only: there this is
    /// false, and what a session asks for is taken from its state and statement.
    pub pending_seen: bool,
    /// The latest statements of transactions whose session is idle, oldest first, by session. Read after a first graph named
    /// its roots.
    pub last_statements: BTreeMap<u64, Vec<Vec<u8>>>,
    /// What could not be read, and why.
    pub limitations: Vec<Limitation>,
}

/// A session, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionFacts {
    /// The session as the server lists it. Its statement may be cut, and may be a template.
    pub session: Session,
    /// Whose it is.
    pub role: SessionRole,
}

/// Whose a session is. Only sessions of users are ever victims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionRole {
    /// An application's or a person's.
    #[default]
    User,
    /// Applies what replication brings.
    Applier,
    /// Another thread of the server's own.
    Internal,
    /// Clew's.
    Clew,
}

/// An open transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransactionFacts {
    /// The transaction; its `session_id` is 0 if it belongs to no session: prepared by XA, or its session is gone.
    pub transaction: Transaction,
    /// The name that XA gave it, as `XA RECOVER` prints it, where it is known.
    pub xid: Option<String>,
    /// Tables that it has InnoDB locks on. Only asked of transactions without a session: it tells which of them holds a metadata
    /// lock that has no owner.
    pub tables: Vec<TableName>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
}

/// One transaction waits for one lock of another. The same pair may come often; the graph merges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWait {
    /// Who waits.
    pub waiting: LockOwner,
    /// Who holds the lock, or asked for it earlier.
    pub blocking: LockOwner,
    /// What the waiter asked for.
    pub lock: LockedObject,
    /// Mode of the blocker's lock, if known: `X,REC_NOT_GAP`.
    pub held_mode: Option<String>,
}

/// Owner of an InnoDB lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LockOwner {
    /// The transaction's number. 0 is MariaDB's number for every transaction that only reads.
    pub transaction: u64,
    /// The session, where the table of waits itself names it (as MySQL's thread ids do); otherwise the transaction tells.
    pub session: Option<u64>,
}

/// What an InnoDB lock is on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockedObject {
    /// Schema of the table.
    pub schema: Option<String>,
    /// The table.
    pub table: Option<String>,
    /// The index; nothing for a lock on the table.
    pub index: Option<String>,
    /// `X`, `X,GAP`, `X,REC_NOT_GAP`, `X,INSERT_INTENTION`, `IX`, …
    pub mode: String,
    /// Whether it is on the whole table, not on a record.
    pub whole_table: bool,
    /// The locked row, as the server prints it.
    pub data: Option<String>,
}

/// A row of `metadata_locks`, or of MariaDB's `metadata_lock_info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataLock {
    /// What it is on.
    pub object: MetadataObject,
    /// How much it excludes.
    pub mode: MetadataMode,
    /// Held, or asked for.
    pub status: LockStatus,
    /// The session; nothing if its owner is no session any more, as with a prepared XA transaction.
    pub session: Option<u64>,
}
