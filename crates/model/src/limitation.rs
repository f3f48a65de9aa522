//! Limitations describe missing or inaccurate data in a snapshot.

use serde::{Deserialize, Serialize};

/// Kind of limitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitationKind {
    /// Only the sessions of Clew's monitoring account are visible.
    OnlyOwnSessions,
    /// Transactions cannot be read. The `transaction_duration` column and all later columns are empty.
    NoTransactions,
    /// Some transactions or some transaction columns cannot be read.
    PartOfTransactions,
    /// The server truncates statements.
    #[serde(rename = "statements_cut")]
    StatementsTruncated,
    /// Clew's account cannot kill sessions of other accounts.
    NoKill,
    /// Metadata locks and other lock waits outside InnoDB cannot be read.
    NoPerformanceSchema,
    /// Metadata locks cannot be read.
    NoMetadataLocks,
    /// Owners of InnoDB locks cannot be read.
    NoRowLocks,
    /// The latest statements of idle blockers cannot be read.
    NoLastStatements,
    /// The XA identifiers of prepared transactions cannot be read.
    NoPreparedNames,
    /// Digests of running statements cannot be read.
    NoStatementDigests,
    /// Program names of sessions cannot be read.
    NoProgramNames,
    /// The connection to the server passes through a proxy or load balancer.
    /// Clew cannot reliably identify sessions through a proxy and therefore does not kill sessions.
    Indirect,
    /// The live session list is truncated because it reached its maximum length.
    #[serde(rename = "sessions_cut")]
    SessionsTruncated,
    /// Some durations may be wrong. Implausible durations are shown as 0.
    UnreliableAges,
    /// Some metadata locks are not recorded because the server's metadata lock table is full.
    LostMetadataLocks,
    /// Some threads are not recorded because the server's thread table is full.
    LostThreads,
    /// Some running statements are not recorded because the server's statement tables are full.
    LostStatements,
    /// The server truncated the connection attributes of some clients.
    LostConnectAttributes,
    /// The account lacks the privilege to set a session variable that affects the results.
    SettingRefused,
    /// The server may still be running a statement of an abandoned read operation, because Clew did not kill it.
    StatementNotKilled,
}

impl LimitationKind {
    /// Returns true if lock waits may be missing from the data because of the limitation.
    #[must_use]
    pub fn hides_lock_waits(self) -> bool {
        match self {
            Self::OnlyOwnSessions
            | Self::NoPerformanceSchema
            | Self::NoMetadataLocks
            | Self::NoRowLocks
            | Self::SessionsTruncated
            | Self::StatementsTruncated
            | Self::LostMetadataLocks
            | Self::LostThreads
            | Self::SettingRefused => true,
            Self::NoTransactions
            | Self::PartOfTransactions
            | Self::NoKill
            | Self::NoLastStatements
            | Self::NoPreparedNames
            | Self::NoStatementDigests
            | Self::NoProgramNames
            | Self::Indirect
            | Self::UnreliableAges
            | Self::LostStatements
            | Self::LostConnectAttributes
            | Self::StatementNotKilled => false,
        }
    }
}

/// Description of missing or inaccurate data in a snapshot, including the cause and the fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limitation {
    /// Kind.
    pub kind: LimitationKind,
    /// Sentence that describes the missing or inaccurate data.
    pub what: String,
    /// Sentence that describes the cause.
    pub why: String,
    /// SQL statement or setting that removes the limitation, or `None` if there is no fix.
    pub remedy: Option<String>,
}
