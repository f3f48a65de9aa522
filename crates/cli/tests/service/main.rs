//! Service tests with the real binary, real servers and the official SDK on one machine.
//! `tests/platform` runs the same tests on PostgreSQL and S3.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod api_matches_cli;
mod backend;
mod crashes;
mod full_disk;
mod harness;
mod hung_node;
mod intelligent_kills;
mod kill_tasks;
mod many_nodes;
mod memory;
mod official_sdk;
mod openapi_conformance;
mod secrets;
mod serving_lock;
mod unknown_outcomes;
mod zones;
