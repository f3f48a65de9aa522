//! Zones with their nodes and workers.

use clew_model::Zone;

/// State of a zone that has nodes or workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneState {
    /// Name of the zone. `None` for nodes without a zone, which any worker reads.
    pub zone: Option<Zone>,
    /// Number of nodes.
    pub nodes: u64,
    /// Number of active workers.
    pub workers: u64,
}

impl ZoneState {
    /// Whether the zone has nodes but no active worker.
    #[must_use]
    pub fn is_unserved(&self) -> bool {
        self.nodes > 0 && self.workers == 0
    }
}
