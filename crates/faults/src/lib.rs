//! Fault injection: breaks the dependencies of Clew under load, and checks the guarantees.
//!
//! [`run()`] starts a cluster: PostgreSQL, an S3 server, three Clew servers, four Clew workers, a MariaDB and fleets of fake nodes.
//! A client requests collections at a constant rate while the run injects one [`Fault`] after the other, at times that a seed determines.
//! At the end, the run checks every invariant on all requested collections. It uses the client's records, the rows of the database,
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
