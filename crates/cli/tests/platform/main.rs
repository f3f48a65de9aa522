//! Service tests for a distributed deployment: metadata in PostgreSQL, results on S3, two servers and two workers behind nginx.
//! Runs the tests of `tests/service` unchanged.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../service/api_matches_cli.rs"]
mod api_matches_cli;
mod backend;
#[path = "../service/crashes.rs"]
mod crashes;
#[path = "../service/harness.rs"]
mod harness;
#[path = "../service/hung_node.rs"]
mod hung_node;
#[path = "../service/intelligent_kills.rs"]
mod intelligent_kills;
#[path = "../service/kill_tasks.rs"]
mod kill_tasks;
#[path = "../service/many_nodes.rs"]
mod many_nodes;
#[path = "../service/memory.rs"]
mod memory;
#[path = "../service/official_sdk.rs"]
mod official_sdk;
#[path = "../service/openapi_conformance.rs"]
mod openapi_conformance;
#[path = "../service/secrets.rs"]
mod secrets;
#[path = "../service/unknown_outcomes.rs"]
mod unknown_outcomes;
