//! Lock waits of every kind on real servers: the graph matches the scenarios.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod blockers;
mod full_visibility;
mod oracle;
mod partial_visibility;
mod privileges;
mod replication;
mod vanished_sessions;
