//! Zones: what is known of each.

use clew_model::Zone;

/// A zone that nodes or workers are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneState {
    /// Its name; nothing for nodes that any worker reads.
    pub zone: Option<Zone>,
    /// Nodes that are in it.
    pub nodes: u64,
    /// Workers at work that read them.
    pub workers: u64,
}

impl ZoneState {
    /// Whether it has nodes that nobody reads.
    #[must_use]
    pub fn is_deserted(&self) -> bool {
        self.nodes > 0 && self.workers == 0
    }
}
