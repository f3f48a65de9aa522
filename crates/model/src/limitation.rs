//! Limitations of a snapshot. A limitation names the missing data, the cause and the fix.

use serde::{Deserialize, Serialize};

/// Kind of limitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitationKind {
    /// Only sessions of the monitoring account are visible.
    OnlyOwnSessions,
    /// Transactions cannot be read. The column `transaction_duration` and all later columns are empty.
    NoTransactions,
    /// Some transactions or some transaction columns cannot be read.
    PartOfTransactions,
    /// The server truncates statements.
    #[serde(rename = "statements_cut")]
    StatementsTruncated,
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
    /// Clew cannot reliably identify sessions through a proxy, so it kills no session.
    Indirect,
    /// The live session list is truncated at its maximum length.
    #[serde(rename = "sessions_cut")]
    SessionsTruncated,
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

/// Missing or inaccurate data, with its cause and its fix.
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
