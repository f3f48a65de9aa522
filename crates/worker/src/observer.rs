//! Trait for receiving worker events, for example to update metrics.

use std::time::Duration;

use clew_model::{FailureKind, NodeId};

/// Receives events from the worker in this process. Implementations must not block.
pub trait WorkerObserver: Send + Sync {
    /// Called after a collection task has succeeded. `seconds` is the duration from the claim to the completion.
    fn record_collection_success(&self, rows: u64, seconds: f64);
    /// Called after a collection task has failed.
    fn record_collection_failure(&self, kind: FailureKind);
    /// Called after each kill task poll of a slow node, with the lengthened poll interval.
    /// `interval` is `None` if the target interval applies again or the worker stops polling the node.
    fn record_poll_interval_change(&self, node: &NodeId, interval: Option<Duration>);
}
