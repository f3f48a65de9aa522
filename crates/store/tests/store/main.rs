//! The store in real folders with a real database.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod audit;
mod batches;
mod child;
mod data_directory;
mod fixture;
mod freshness;
mod intelligent_kills;
mod inventory;
mod kill_tasks;
mod kills;
mod lockouts;
mod policies;
mod processes;
mod queue;
mod results;
mod retention;
mod revocation;
mod secrets;
mod slow_thresholds;
mod tampering;
mod tenants;
mod troubles;
mod turns;
mod upgrade;
mod users;
