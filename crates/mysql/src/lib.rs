//! Reads session data from MySQL-compatible servers (MySQL, MariaDB, TaurusDB) and kills sessions.
//!
//! - [`take_snapshot`] reads a node's user sessions and their open transactions.
//! - [`read_lock_waits`] reads the lock waits and lock holders, and builds the wait graph.
//! - [`diagnose_node`] checks which data an account can read on a server.
//! - [`kill_single_victim`] verifies the identity of a session, and then kills the session or its running statement.
//!
//! To take a snapshot, Clew opens one connection and reads each system table once.
//! Clew joins the system tables in memory.
//! Every read operation has a timeout. If an operation is canceled, Clew kills the operation's statement on the server.
//! A process opens at most two connections per node at a time; all its operations share a [`ConnectionRegistry`].
//!
//! `clew-mysql` neither authorizes callers nor stores results.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use clew_model::NodeUrl;
//! use clew_mysql::{NodeConnector, SnapshotFormat, SnapshotOptions, take_snapshot};
//!
//! let node: NodeUrl = "mysql://clew:secret@db.example.com/".parse()?;
//! let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: true });
//! let mut snapshot = take_snapshot(&node, &options, &NodeConnector::default()).await?;
//! snapshot.body.write_to(&mut std::io::stdout())?;
//! # Ok(())
//! # }
//! ```

mod abandoned_statements;
mod client;
mod clock;
mod connection;
mod connection_limit;
mod connector;
mod doctor;
mod elapsed_times;
mod explain;
mod failure;
mod flavor;
mod grants;
mod innodb_status;
mod kill;
mod kill_on_drop;
mod limitations;
mod locks;
mod lost_instrumentation;
mod own_sessions;
mod privileges;
mod process_list;
mod program_names;
mod raw_connection;
mod read_limits;
mod refused_logins;
mod rollbacks;
mod sampling;
mod server_error_advice;
mod server_instance;
mod session_detail;
mod session_variables;
mod snapshot;
mod sql_statements;
mod statement_digests;
mod transactions;
mod wait_graph_session_collector;

pub use clock::{ClockReading, NodeClockHistory, UnreliableClockReason};
pub use connection_limit::ConnectionPurpose;
pub use connector::{ConnectionRegistry, NodeConnector};
pub use doctor::{DiagnosticCheckResult, NodeDiagnosis, diagnose_node};
pub use explain::{ExplainOutcome, explain_running_statement};
pub use flavor::Flavor;
pub use kill::{
    ClientSessions, ExpectedStatement, KillEffect, KillOptions, KillOutcome, KillRefusal, KillTarget, PreKillSnapshot,
    ProcessListSource, SessionLookupResult, Victim, find_sessions_by_id, find_sessions_unsafe_to_kill,
    kill_single_victim, kill_victims, read_client_sessions, read_kill_risks,
};
pub use locks::{LockWaits, read_lock_waits, read_server_instance_and_lock_waits};
pub use read_limits::{ReadLimits, ReadSizeLimits};
pub use rollbacks::{Rollback, read_rollbacks};
pub use sampling::{SampleCache, SessionSample, take_session_sample};
pub use server_instance::{ServerInstance, ServerInstanceParseError};
pub use session_detail::{DetailedSession, read_session_detail};
pub use snapshot::{
    EncodedRows, SessionScope, Snapshot, SnapshotFormat, SnapshotOptions, SnapshotSummary, take_snapshot,
    take_snapshot_with_server_instance,
};
