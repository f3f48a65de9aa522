//! EdgeSet of the graph: detected waits.

mod edge_set;
mod lock_requests;
mod metadata;
mod rows;
mod tables;

use super::index::ObservationIndex;
use edge_set::EdgeSet;

/// Detects all waits.
pub(super) fn detect_waits(index: &ObservationIndex<'_>) -> EdgeSet {
    let mut edges = EdgeSet::default();
    rows::add_edges(&mut edges, index);
    metadata::add_edges(&mut edges, index);
    tables::add_edges(&mut edges, index);
    edges
}
