//! Fault injection: breaks the dependencies of Clew under load, and checks the guarantees.
//!
//! [`run()`] starts a cluster with three Clew servers, four Clew workers, PostgreSQL and an S3 server.
//! The monitored nodes are a MariaDB and fleets of fake servers.
//! A client requests collections at a constant rate while the run injects one [`Fault`] after the other.
//! A seed determines the times of the faults.
//! At the end, the run checks every invariant on all requested collections.
//! It uses the client's records, the rows of the database,
//! a trigger that records every completion, the objects on S3 and the logs of the processes.
//!
//! For tests only: `crates/cli/tests/faults` runs it for two minutes, `cargo xtask faults` for a configurable time.
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
pub use report::Report;
pub use run::{Options, run};
