//! Tests the store: the contract on both databases, and the features of each database.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod all_tables;
mod backend;
mod contract;
mod database;
mod fixture;
mod postgresql;
mod results_on_s3;
mod sqlite;
mod subprocess;
