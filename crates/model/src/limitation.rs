//! Limitations of a snapshot: missing data, its cause, and the remedy.

use serde::{Deserialize, Serialize};

/// Kind of limitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitationKind {
    /// Only sessions of the account itself are visible.
    OnlyOwnSessions,
    /// Transactions cannot be read. The columns from `transaction_duration` on are empty.
    NoTransactions,
    /// Some transactions, or some of their columns, cannot be read.
    PartOfTransactions,
    /// The server truncates statements.
    StatementsCut,
    /// Sessions of other accounts cannot be killed.
    NoKill,
    /// Waits and locks outside of InnoDB cannot be read.
    NoPerformanceSchema,
    /// Metadata locks cannot be read.
    NoMetadataLocks,
    /// Holders of InnoDB locks cannot be read.
    NoRowLocks,
    /// The last statements of idle blockers cannot be read.
    NoLastStatements,
    /// Names of prepared XA transactions cannot be read.
    NoPreparedNames,
    /// Digests of running statements cannot be read.
    NoStatementDigests,
    /// Program names of sessions cannot be read.
    NoProgramNames,
    /// The connection passes through a proxy or load balancer. Sessions cannot be identified, and are not killed.
    Indirect,
    /// The live list is truncated at its maximum number of sessions.
    SessionsCut,
    /// Some durations come from an unreliable clock, or were out of range and are shown as 0.
    UnreliableAges,
    /// The server lost metadata locks, because its table of metadata locks is too small.
    LostMetadataLocks,
    /// The server lost threads, because its table of threads is too small.
    LostThreads,
    /// The server lost running statements, because its statement tables are too small.
    LostStatements,
    /// The server truncated connection attributes of clients.
    LostConnectAttributes,
    /// The account may not set a session variable that changes results.
    SettingRefused,
}

/// Limitation of the data: its cause, and the exact statement or setting that removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limitation {
    /// Kind.
    pub kind: LimitationKind,
    /// Missing data, as a sentence.
    pub what: String,
    /// Cause, as a sentence.
    pub why: String,
    /// Remedy: a complete statement, or a setting with its value. `None` if there is none.
    pub remedy: Option<String>,
}
