//! Who counts what the worker does.

use clew_model::FailureKind;

/// Is told of each collection that this process ended, once. Must not block.
pub trait Observer: Send + Sync {
    /// A result was stored: its rows, and the seconds from taking the collection up to its end.
    fn collected(&self, rows: u64, seconds: f64);
    /// A collection ended without a result.
    fn failed(&self, kind: FailureKind);
}
