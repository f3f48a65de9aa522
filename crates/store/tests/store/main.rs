//! The store in real folders with a real database: what it does with every database, here with SQLite, and what it does with SQLite alone.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod child;
#[path = "contract.rs"]
mod contract;
mod data_directory;
mod every_kind;
mod fixture;
mod place;
mod results_on_s3;
mod troubles;
mod upgrade;
