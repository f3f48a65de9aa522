//! Wait graph: each kind of wait as servers list it, and properties that hold for every graph.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod builder;
mod edge_cases;
mod impact;
mod inferred_requests;
mod large_incidents;
mod properties;
mod remedy;
mod rendering;
mod session_details;
mod surviving_blockers;
mod wait_kinds;
