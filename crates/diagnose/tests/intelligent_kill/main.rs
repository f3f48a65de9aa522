//! Intelligent kill: selection of groups, and throttling patterns.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // A test fails by panicking.

mod selection;
mod throttling_pattern;
