//! The API over real HTTP: a server of its own for each test, with a real store in a folder that goes with it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // A test fails by panicking.

mod administration;
mod answer;
mod audit;
mod bad_input;
mod call;
mod collections;
mod connection_limits;
mod downloads;
mod foreign;
mod freshness;
mod fuzz;
mod identities;
mod instances;
mod intelligent_kill;
mod kill_tasks;
mod limits;
mod lock_wait;
mod lockout;
mod masking;
mod matrix;
mod openapi;
mod operations;
mod process_kill;
mod processes;
mod ranges;
mod rate_limits;
mod server;
mod sign_in;
mod signatures;
mod slow_threshold;
mod tags;
mod temporary_keys;
mod tenants;
mod tls_listener;
mod tokens;
