//! Lock wait graph of a node: waiters, blockers and root blockers.
//!
//! The caller reads each lock table of the server once and passes the rows as [`LockObservations`].
//! The graph is built in memory, without joins on the server.
//! InnoDB lock waits are matched by transaction, metadata lock waits by the compatibility matrix of lock modes.
//! Waits that no server table lists are inferred from session state and statement.
//!
//! - `build` creates the graph from the waits that `edges` detects.
//! - `edges` has one module per kind of lock: `rows` (InnoDB), `metadata`, and `tables` (flushes, table-level locks).
//! - `edges::lock_requests` lists or infers pending metadata lock requests.
//! - `compatibility` contains the compatibility matrix of metadata lock modes.
//! - `cycle` and `rank` detect and rank root blockers.
//! - `unexplained` lists waiters without a detected blocker.
//! - `remedy` selects the action that removes a root blocker.
//! - `render_tree` and `render_dot` render the graph; `details` returns the waits per session.
//!
//! ```
//! use clew_diagnose::waits::{
//!     LockStatus, MetadataKind, MetadataLock, MetadataMode, MetadataObject, LockObservations, Party, build_graph,
//! };
//!
//! let lock = |session, mode, status| MetadataLock {
//!     object: MetadataObject::new(MetadataKind::Table, Some("shop".into()), Some("orders".into())),
//!     mode,
//!     status,
//!     session: Some(session),
//! };
//! let observed = LockObservations {
//!     metadata_locks: vec![
//!         lock(7, MetadataMode::SharedRead, LockStatus::Granted),
//!         lock(8, MetadataMode::Exclusive, LockStatus::Pending),
//!         lock(9, MetadataMode::SharedRead, LockStatus::Pending),
//!     ],
//!     reports_pending: true,
//!     ..LockObservations::default()
//! };
//! let graph = build_graph(&observed);
//! assert_eq!(graph.roots[0].parties, [Party::Session(7)]);
//! assert_eq!(graph.roots[0].frees, 2);
//! ```

mod build;
mod compatibility;
mod cycle;
mod details;
mod display;
mod dot;
mod edges;
mod graph;
mod impact;
mod index;
mod input;
mod masking;
mod metadata;
mod rank;
mod remedy;
mod serialize;
mod statement;
mod surviving;
mod tree;
mod unexplained;
mod wait_state;

pub use build::build_wait_graph;
pub use dot::render_dot;
pub use graph::{
    LockResource, LockWait, PartyDetail, ResourceKind, RootBlocker, UnexplainedWait, WaitGraph, WaitParty,
};
pub use input::{
    LockObservations, LockOwner, LockedObject, MetadataLock, ObservedSession, ObservedTransaction, RowWait,
    SessionRole, TableName,
};
pub use metadata::{LockStatus, MetadataMode, MetadataObject, MetadataObjectKind};
pub use remedy::Remedy;
pub use surviving::SurvivingBlocker;
pub use tree::{TreeLayout, TreeLine, TreeLineKind, render_tree};
pub use wait_state::is_wait_state;
