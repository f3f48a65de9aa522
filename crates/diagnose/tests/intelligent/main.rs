//! Intelligent kill: which groups are chosen, and what their keywords are.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // A test fails by panicking.

mod choice;
mod keywords;
