//! Who counts what the worker does.

use std::time::Duration;

use clew_model::{FailureKind, NodeId};

/// Is told of each collection that this process ended, once, and of nodes that are spared. Must not block.
pub trait Observer: Send + Sync {
    /// A result was stored: its rows, and the seconds from taking the collection up to its end.
    fn collected(&self, rows: u64, seconds: f64);
    /// A collection ended without a result.
    fn failed(&self, kind: FailureKind);
    /// Kill tasks look at this node so seldom, because a look takes long; nothing: as often as at any other.
    fn looks_every(&self, node: &NodeId, interval: Option<Duration>);
}
