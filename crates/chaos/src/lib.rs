//! Fault injection tests. A test injects faults into the dependencies of Clew under load and checks invariants.
//!
//! [`run()`] starts a cluster with three Clew servers, four Clew workers, PostgreSQL and an S3 server.
//! The monitored nodes are a MariaDB server and fleets of fake servers.
//! A client requests collections at a constant rate while the run injects one [`Fault`] after another.
//! The seed of the run determines the times at which faults are injected.
//! At the end, the run checks all invariants for all requested collections.
//! The invariant checks compare the client's records with the database rows, the S3 objects and the process logs.
//! A database trigger records every completion of a collection for the invariant checks.
//!
//! The test in `crates/cli/tests/faults` runs for two minutes; `cargo xtask faults` runs for a configurable time.
//! `docs/decisions/0031-fault-injection.md` describes the guarantees of Clew and how the run checks the guarantees.

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

pub use error::ChaosError;
pub use fault::Fault;
pub use report::RunReport;
pub use run::{RunOptions, run};
