//! Waits, joined from all that was read.

mod found;
mod metadata;
mod requests;
mod rows;
mod tables;

use super::lookup::Lookup;
use found::Edges;

/// Every wait that `lookup` tells of.
pub(super) fn all(lookup: &Lookup<'_>) -> Edges {
    let mut edges = Edges::default();
    rows::add(&mut edges, lookup);
    metadata::add(&mut edges, lookup);
    tables::add(&mut edges, lookup);
    edges
}
