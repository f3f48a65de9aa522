//! Policies: what they allow and deny, what is no policy, and that nothing breaks the reader.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // A test fails by panicking.

mod beside_iam_rs;
mod decisions;
mod documents;
mod explanations;
mod facts;
mod garbage;
mod scopes;
mod system_policies;
mod warnings;
mod work_budget;
