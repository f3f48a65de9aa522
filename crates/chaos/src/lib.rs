//! Fault injection tests. A run injects faults into Clew and its dependencies under load and checks invariants.
//!
//! [`run()`] starts a cluster with three Clew servers, four Clew workers, PostgreSQL and an S3 server.
//! While a client requests collections at a constant rate, the run injects one [`Fault`] after another.
//! After the last fault, the run checks invariants. For example, each accepted collection must complete exactly once.
//! The invariant checks compare the client's records with the database rows, the S3 objects and the process logs.
//!
//! The test in `crates/cli/tests/faults` runs for two minutes; for longer runs, use `cargo xtask faults --minutes`.
//! `docs/decisions/0031-fault-injection.md` describes Clew's guarantees and how each guarantee is checked.

mod cluster;
mod error;
mod failure_attribution;
mod fault;
mod fault_injection_run;
mod fault_injector;
mod invariants;
mod nodes;
mod process;
mod report;
mod task_rows;
mod workload;

pub use error::ChaosError;
pub use fault::Fault;
pub use fault_injection_run::{FaultInjectionOptions, run};
pub use report::FaultInjectionReport;
