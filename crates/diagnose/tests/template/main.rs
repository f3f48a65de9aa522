//! Statement templates: expected results, properties, and absence of literals.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod corpus;
mod digest_differences;
mod leaks;
mod malformed;
mod properties;
mod table;
