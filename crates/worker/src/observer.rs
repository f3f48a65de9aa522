//! Trait for receiving worker events, for example to update metrics.

use std::time::Duration;

use clew_model::{FailureKind, NodeId};

/// Receives events from this process's worker. The methods must not block.
pub trait WorkerObserver: Send + Sync {
    /// Called after a collection has completed successfully. `seconds` is the duration from the claim to the completion.
    fn record_collection_success(&self, rows: u64, seconds: f64);
    /// Called after a collection has failed.
    fn record_collection_failure(&self, kind: FailureKind);
    /// Called when kill tasks change a node's poll interval. `interval` is `None` for the default interval.
    fn record_poll_interval_change(&self, node: &NodeId, interval: Option<Duration>);
}
