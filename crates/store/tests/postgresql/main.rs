//! Tests the store with PostgreSQL: the contract for all databases, and features of PostgreSQL.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../store/all_tables.rs"]
mod all_tables;
mod backend;
#[path = "../store/contract.rs"]
mod contract;
mod events;
#[path = "../store/fixture.rs"]
mod fixture;
mod metadata_copy;
mod server;
#[path = "../store/subprocess.rs"]
mod subprocess;
