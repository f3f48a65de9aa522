//! The store in real folders with a real database.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod child;
mod data_directory;
mod fixture;
mod inventory;
mod lockouts;
mod policies;
mod processes;
mod queue;
mod results;
mod revocation;
mod secrets;
mod tenants;
mod troubles;
mod users;
