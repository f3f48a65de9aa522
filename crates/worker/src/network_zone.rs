//! Checks that this process can connect to the network zone of a node.

use clew_model::{Failure, FailureKind, Node};
use clew_store::Store;

/// Returns a [`FailureKind::Unreachable`] failure if the node is in a network zone that this process cannot reach.
pub fn require_reachable_network_zone(store: &Store, node: &Node) -> Result<(), Failure> {
    match &node.zone {
        Some(zone) if !store.is_zone_reachable(Some(zone)) => {
            let reason =
                format!("node {} is in zone {zone}, and this server is not (clew serve --zone {zone})", node.id);
            Err(Failure::new(FailureKind::Unreachable, reason))
        }
        _ => Ok(()),
    }
}
