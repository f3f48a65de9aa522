//! States and outcomes of collection tasks. A collection task takes a snapshot of a node's sessions.

use crate::failure::Failure;
use crate::limitation::Limitation;

crate::named_enum! {
    /// Stored state of a collection task.
    pub enum CollectionTaskStatus {
        /// The collection task waits in the queue until a worker and the node are available.
        Queued = "queued",
        /// A worker is running the collection task.
        Running = "running",
        /// The result is ready for download.
        Finished = "finished",
        /// The collection task failed. Clew has stored the reason.
        Error = "error",
    }
}

impl CollectionTaskStatus {
    /// Returns the state name used in the API. The API reports queued tasks as `running` (API spec, section 1.3).
    #[must_use]
    pub fn api_name(self) -> &'static str {
        match self {
            Self::Queued | Self::Running => "running",
            Self::Finished => "finished",
            Self::Error => "error",
        }
    }

    /// Returns true if the collection task has ended, with or without an error.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Error)
    }
}

/// Outcome of a collection task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CollectionTaskOutcome {
    /// The result is stored.
    Finished {
        /// Name of the result in the result store.
        result_name: String,
        /// Number of rows.
        rows: u64,
        /// Size in bytes, without a header row.
        bytes: u64,
        /// SHA-256 hash of the result, in hexadecimal.
        sha256: String,
        /// Limitations of the collected data.
        limitations: Vec<Limitation>,
    },
    /// The collection task failed.
    Failed(Failure),
}
