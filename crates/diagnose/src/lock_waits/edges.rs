//! Detects lock waits (the edges of the wait graph).

mod edge_set;
mod innodb_locks;
mod lock_requests;
mod metadata_locks;
mod table_waits;

use super::lock_snapshot::LockSnapshotIndex;
use edge_set::EdgeSet;

pub(super) fn detect_lock_waits(index: &LockSnapshotIndex<'_>) -> EdgeSet {
    let mut edges = EdgeSet::default();
    innodb_locks::add_innodb_lock_edges(&mut edges, index);
    metadata_locks::add_metadata_lock_edges(&mut edges, index);
    table_waits::add_table_wait_edges(&mut edges, index);
    edges
}
