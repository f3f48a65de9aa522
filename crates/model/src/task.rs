//! The life of a collection.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Where a collection is, in Clew's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Waits for a worker, or for its node to be free.
    Queued,
    /// A worker holds it.
    Running,
    /// Its result can be downloaded.
    Finished,
    /// It ended without a result; the reason is kept.
    Error,
}

impl TaskStatus {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Running, Self::Finished, Self::Error];

    /// As it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Error => "error",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// The word of the API (spec section 1.3): it knows no queue, so what waits is `running` too.
    #[must_use]
    pub fn wire_name(self) -> &'static str {
        match self {
            Self::Queued | Self::Running => "running",
            Self::Finished => "finished",
            Self::Error => "error",
        }
    }

    /// True once nothing more will change.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Error)
    }
}

/// How a collection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskOutcome {
    /// A result was stored.
    Finished {
        /// Name of the result in the result store.
        result_name: String,
        /// Rows of the result.
        rows: u64,
        /// Bytes of the result, without a header row.
        bytes: u64,
        /// SHA-256 of those bytes, in hexadecimal.
        sha256: String,
    },
    /// There is no result, and this is why.
    Failed(Failure),
}
