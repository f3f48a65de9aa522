//! Kill rules: criteria, and properties that hold for every rule.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test fails by panicking.

mod criteria;
mod generators;
mod properties;
