//! Detects lock waits (the edges of the wait graph).

mod edge_set;
mod lock_requests;
mod metadata;
mod rows;
mod tables;

use super::index::LockSnapshotIndex;
use edge_set::EdgeSet;

pub(super) fn detect_lock_waits(index: &LockSnapshotIndex<'_>) -> EdgeSet {
    let mut edges = EdgeSet::default();
    rows::add_row_lock_edges(&mut edges, index);
    metadata::add_metadata_lock_edges(&mut edges, index);
    tables::add_table_wait_edges(&mut edges, index);
    edges
}
