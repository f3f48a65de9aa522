//! The service as its users run it: the real binary, real servers, the official SDK. Here on one machine; `tests/platform` has the same
//! tests on PostgreSQL and S3.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod crashes;
mod described;
mod full_disk;
mod harness;
mod hung_node;
mod intelligent_kills;
mod kill_tasks;
mod lost_kills;
mod many_nodes;
mod memory;
mod official_sdk;
mod one_folder;
mod place;
mod same_answer;
mod secrets;
mod zones;
