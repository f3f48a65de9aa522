//! Lock wait graph of a database node: waiters, blockers and root blockers.
//!
//! The caller reads each system table with lock data once and passes the rows as a [`LockSnapshot`].
//! Clew builds the wait graph in memory, so the database server does not have to join tables.
//! Clew identifies the waiter and the blocker of an InnoDB lock wait by transaction id, or by session id if no transaction has the id.
//! Clew derives metadata lock waits from conflicting modes of pending and granted locks.
//! If no system table contains a wait, Clew infers the wait from the state and statement of the waiting session.
//!
//! ```
//! use clew_diagnose::lock_waits::{
//!     LockSnapshot, LockStatus, MetadataLock, MetadataLockMode, MetadataLockObject, MetadataLockObjectKind, WaitParticipant,
//!     build_wait_graph,
//! };
//!
//! let lock = |session, mode, status| MetadataLock {
//!     object: MetadataLockObject::new(MetadataLockObjectKind::Table, Some("shop".into()), Some("orders".into())),
//!     mode,
//!     status,
//!     session: Some(session),
//! };
//! let observed = LockSnapshot {
//!     metadata_locks: vec![
//!         lock(7, MetadataLockMode::SharedRead, LockStatus::Granted),
//!         lock(8, MetadataLockMode::Exclusive, LockStatus::Pending),
//!         lock(9, MetadataLockMode::SharedRead, LockStatus::Pending),
//!     ],
//!     reports_pending: true,
//!     ..LockSnapshot::default()
//! };
//! let graph = build_wait_graph(&observed);
//! assert_eq!(graph.roots[0].parties, [WaitParticipant::Session(7)]);
//! assert_eq!(graph.roots[0].frees, 2);
//! ```

mod display;
mod edges;
mod graph;
mod graph_builder;
mod graphviz;
mod lock_compatibility;
mod lock_snapshot;
mod masking;
mod metadata_locks;
mod recommended_action;
mod remaining_blockers;
mod root_blocker_ranking;
mod serialize;
mod session_details;
mod strongly_connected_components;
mod tree;
mod wait_state;
mod waiting_statement;
mod waits_without_blocker;

pub use graph::{LockWait, ParticipantDetail, RootBlocker, WaitGraph, WaitParticipant, WaitWithoutBlocker};
pub use graph_builder::build_wait_graph;
pub use graphviz::render_graphviz_dot;
pub use lock_snapshot::{
    InnoDbLockWait, LockOwner, LockResource, LockResourceKind, LockSnapshot, MetadataLock, ObservedSession,
    ObservedTransaction, SessionRole,
};
pub use metadata_locks::{LockStatus, MetadataLockMode, MetadataLockObject, MetadataLockObjectKind};
pub use recommended_action::RecommendedAction;
pub use remaining_blockers::RemainingBlocker;
pub use tree::{TreeLayout, TreeLine, TreeLineKind, render_tree};
pub use wait_state::is_lock_wait_state;
