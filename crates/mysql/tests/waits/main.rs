//! Waits of every kind, built on real servers: the graph equals the truth.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod blockers;
mod everything;
mod gaps;
mod privileges;
mod replication;
mod truth;
mod vanished;
