//! Observer of the worker, for metrics.

use std::time::Duration;

use clew_model::{FailureKind, NodeId};

/// Receives events of the worker of this process. Its methods must not block.
pub trait Observer: Send + Sync {
    /// A collection finished: number of rows, and seconds from the claim to the end.
    fn collection_finished(&self, rows: u64, seconds: f64);
    /// A collection failed.
    fn collection_failed(&self, kind: FailureKind);
    /// Kill tasks read a slow node at this interval; `None` means the default interval.
    fn poll_interval_changed(&self, node: &NodeId, interval: Option<Duration>);
}
