//! Fault injection tests, which inject failures into the dependencies of Clew under load and check invariants.
//!
//! [`run()`] starts a cluster with three Clew servers, four Clew workers, PostgreSQL and an S3 server.
//! The monitored nodes are a MariaDB server and fleets of fake servers.
//! A client requests collections at a constant rate while the run injects one [`Fault`] after another.
//! A seed determines the times of the faults.
//! At the end, the run checks all invariants on all requested collections.
//! The checks compare the client's records with the database rows, the S3 objects and the process logs.
//! A database trigger records every completion for these checks.
//!
//! The test in `crates/cli/tests/faults` runs for two minutes, and `cargo xtask faults` for a configurable time.
//! `docs/decisions/0031-fault-injection.md` describes the guarantees and their checks.

mod cluster;
mod db_trace;
mod error;
mod failure_attribution;
mod fault;
mod injector;
mod invariants;
mod nodes;
mod process;
mod report;
mod run;
mod timeline;
mod workload;

pub use error::FaultsError;
pub use fault::Fault;
pub use report::RunReport;
pub use run::{RunOptions, run};
