//! State of network zones.

use clew_model::NetworkZone;

/// State of a network zone that has nodes or active workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneState {
    /// Name of the zone, or `None` for nodes without a zone, which all workers can reach.
    pub zone: Option<NetworkZone>,
    /// Number of nodes.
    pub nodes: u64,
    /// Number of active workers.
    pub workers: u64,
}

impl ZoneState {
    /// Returns true if the zone has nodes but no active worker.
    #[must_use]
    pub fn lacks_workers(&self) -> bool {
        self.nodes > 0 && self.workers == 0
    }
}
