//! The worker on a real store, with a reader that does what each test tells it.

// Clippy takes only `#[test]` functions for tests, not what stands around them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bench;
mod endings;
mod handing_back;
mod hearing;
mod kill_ages;
mod kill_tasks;
mod leases;
mod logins;
mod notices;
mod queue;
mod results_on_s3;
mod retaining;
mod scripted;
mod silent_nodes;
mod unrecorded;
mod waiting;
