//! Policies: decisions, document errors, and robustness against random input.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // A test fails by panicking.

mod decisions;
mod differential_iam_rs;
mod documents;
mod evaluation_budget;
mod explanations;
mod facts;
mod random_input;
mod scopes;
mod system_policies;
mod warnings;
