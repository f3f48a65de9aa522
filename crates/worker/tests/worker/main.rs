//! Tests of the worker on a real store, with a scripted reader.

// Clippy takes only `#[test]` functions for tests, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod completion;
mod failures;
mod harness;
mod kill_tasks;
mod leases;
mod log_capture;
mod login_backoff;
mod notifications;
mod queue;
mod results_on_s3;
mod retention;
mod scripted_reader;
mod session_ages;
mod shutdown;
mod stalled_nodes;
mod store_failures;
