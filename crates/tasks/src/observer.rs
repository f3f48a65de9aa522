//! Observer of worker events, used for metrics.

use std::time::Duration;

use clew_model::{FailureKind, NodeId};

/// Receives the events of the worker in this process. The methods must not block.
pub trait WorkerObserver: Send + Sync {
    /// Called after a collection finished, with the number of rows and the seconds from claim to completion.
    fn collection_finished(&self, rows: u64, seconds: f64);
    /// Called after a collection failed.
    fn collection_failed(&self, kind: FailureKind);
    /// Called when kill tasks change the read interval of a node; `None` means the default interval.
    fn poll_interval_changed(&self, node: &NodeId, interval: Option<Duration>);
}
