//! The store in real folders with a real database.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod data_directory;
mod fixture;
mod inventory;
mod queue;
mod results;
