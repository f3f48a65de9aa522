//! Tests the store with SQLite: the contract for all databases, and features of SQLite.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod all_tables;
mod backend;
#[path = "contract.rs"]
mod contract;
mod data_directory;
mod error_hints;
mod fixture;
mod results_on_s3;
mod subprocess;
mod upgrade;
