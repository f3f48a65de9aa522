//! The store with PostgreSQL: what it does with every database, and what it does with this one alone.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../store/child.rs"]
mod child;
#[path = "../store/contract.rs"]
mod contract;
mod copying;
#[path = "../store/every_kind.rs"]
mod every_kind;
#[path = "../store/fixture.rs"]
mod fixture;
mod notices;
mod place;
mod server;
