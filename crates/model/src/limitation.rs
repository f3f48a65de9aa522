//! What a snapshot could not show, and what would mend it.

use serde::{Deserialize, Serialize};

/// Kinds of gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitationKind {
    /// Only the account's own sessions are visible.
    OnlyOwnSessions,
    /// Transactions cannot be read: the columns from `transaction_duration` on are empty.
    NoTransactions,
    /// Some transactions, or some of their columns, cannot be read.
    PartOfTransactions,
    /// Statements are cut by the server at this many bytes.
    StatementsCut,
    /// Sessions of other accounts cannot be ended.
    NoKill,
    /// Waits and locks beyond InnoDB's cannot be read.
    NoPerformanceSchema,
    /// Metadata locks cannot be read.
    NoMetadataLocks,
    /// Who holds InnoDB's locks cannot be read.
    NoRowLocks,
    /// What idle blockers ran last cannot be read.
    NoLastStatements,
    /// Names of prepared XA transactions cannot be read.
    NoPreparedNames,
    /// Digests of running statements cannot be read.
    NoStatementDigests,
    /// Names of the programs that opened sessions cannot be read.
    NoProgramNames,
    /// A proxy or balancer stands between: sessions cannot be identified, and are not killed.
    Indirect,
    /// There are more sessions than a live list shows.
    SessionsCut,
    /// Some durations are not from a clock that can be trusted, or were negative or absurd and are shown as 0.
    UnreliableAges,
    /// The server lost metadata locks: its table of them is too small.
    LostMetadataLocks,
    /// The server lost threads: its table of them is too small.
    LostThreads,
    /// The server lost running statements: its tables of them are too small.
    LostStatements,
    /// The server cut what clients send about themselves.
    LostConnectAttributes,
    /// The server does not let the account set a session variable that changes results.
    SettingRefused,
}

/// A gap in what Clew sees, why it is there, and the exact statement or setting that would close it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limitation {
    /// Which gap.
    pub kind: LimitationKind,
    /// What is missing, in a sentence.
    pub what: String,
    /// Why, in a sentence.
    pub why: String,
    /// A statement that can be pasted, or a setting with its value; nothing if there is none.
    pub remedy: Option<String>,
}
