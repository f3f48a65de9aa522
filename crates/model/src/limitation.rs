//! Limitations of a snapshot: the missing data, the cause, and the fix.

use serde::{Deserialize, Serialize};

/// Kind of limitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitationKind {
    /// Only the monitoring account's own sessions are visible.
    OnlyOwnSessions,
    /// Transactions cannot be read. `transaction_duration` and all later columns are empty.
    NoTransactions,
    /// Some transactions or some transaction columns cannot be read.
    PartOfTransactions,
    /// The server truncates statements.
    StatementsCut,
    /// Sessions of other accounts cannot be killed.
    NoKill,
    /// Lock waits and locks outside InnoDB cannot be read.
    NoPerformanceSchema,
    /// Metadata locks cannot be read.
    NoMetadataLocks,
    /// Owners of InnoDB locks cannot be read.
    NoRowLocks,
    /// The latest statements of idle blockers cannot be read.
    NoLastStatements,
    /// Names of prepared XA transactions cannot be read.
    NoPreparedNames,
    /// Digests of running statements cannot be read.
    NoStatementDigests,
    /// Program names of sessions cannot be read.
    NoProgramNames,
    /// The connection passes through a proxy or load balancer.
    /// Sessions cannot be identified reliably, so no session is killed.
    Indirect,
    /// The live session list is truncated at its maximum length.
    SessionsCut,
    /// Some durations are inaccurate because of an unreliable clock. Out-of-range durations are shown as 0.
    UnreliableAges,
    /// The server does not record some metadata locks because its table of metadata locks is full.
    LostMetadataLocks,
    /// The server does not record some threads because its table of threads is full.
    LostThreads,
    /// The server does not record some running statements because its statement tables are full.
    LostStatements,
    /// The server truncated the connection attributes of some clients.
    LostConnectAttributes,
    /// The account lacks the privilege to set a session variable that affects the results.
    SettingRefused,
}

/// Missing or inaccurate data, with the cause and the exact fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limitation {
    /// Kind.
    pub kind: LimitationKind,
    /// Sentence that describes the missing data.
    pub what: String,
    /// Sentence that describes the cause.
    pub why: String,
    /// Fix: a complete SQL statement, or a setting with its value. `None` if no fix exists.
    pub remedy: Option<String>,
}
