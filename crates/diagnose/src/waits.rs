//! Who waits for whom, and who is at the root of it.
//!
//! A source reads each of a server's tables once and hands over what it saw ([`Observed`]); the graph is joined here: waits for
//! InnoDB's locks by transaction, metadata locks by the servers' own rules of compatibility, and what no table shows by
//! state and statement.
//!
//! - `join` makes the graph: `edges` finds the waits: of `rows`, of `metadata` (whose `requests` may have to be concluded), of flushed and engine-locked
//!   `tables`; `compatibility` is the servers' table of which metadata lock stands in the way of which.
//! - `cycle` and `rank` find the roots; `unexplained` names who waits for nobody knows whom.
//! - `cure` says what ends a root; `tree` and `dot` draw the graph, `details` says it by session.
//!
//! ```
//! use clew_diagnose::waits::{
//!     LockStatus, MetadataKind, MetadataLock, MetadataMode, MetadataObject, Observed, Party, graph,
//! };
//!
//! let lock = |session, mode, status| MetadataLock {
//!     object: MetadataObject::new(MetadataKind::Table, Some("shop".into()), Some("orders".into())),
//!     mode,
//!     status,
//!     session: Some(session),
//! };
//! let observed = Observed {
//!     metadata_locks: vec![
//!         lock(7, MetadataMode::SharedRead, LockStatus::Granted),
//!         lock(8, MetadataMode::Exclusive, LockStatus::Pending),
//!         lock(9, MetadataMode::SharedRead, LockStatus::Pending),
//!     ],
//!     pending_seen: true,
//!     ..Observed::default()
//! };
//! let graph = graph(&observed);
//! assert_eq!(graph.roots[0].parties, [Party::Session(7)]);
//! assert_eq!(graph.roots[0].frees, 2);
//! ```

mod compatibility;
mod cure;
mod cycle;
mod describe;
mod details;
mod dot;
mod edges;
mod freed;
mod graph;
mod join;
mod lookup;
mod masked;
mod metadata;
mod observed;
mod rank;
mod state;
mod statement;
mod surviving;
mod tree;
mod unexplained;
mod written;

pub use cure::Cure;
pub use dot::dot;
pub use graph::{Party, PartyFacts, Resource, ResourceKind, Root, Unexplained, Wait, WaitGraph};
pub use join::graph;
pub use metadata::{LockStatus, MetadataKind, MetadataMode, MetadataObject};
pub use observed::{
    LockOwner, LockedObject, MetadataLock, Observed, RowWait, SessionFacts, SessionRole, TableName, TransactionFacts,
};
pub use state::is_wait as is_wait_state;
pub use surviving::SurvivingBlocker;
pub use tree::{TreeLayout, TreeLine, TreeLineKind, tree};
