//! Who waits for whom, and who is at the root of it.
//!
//! A source reads each of a server's tables once and hands over what it saw ([`Observed`]); the graph is joined here: waits for
//! InnoDB's locks by transaction, metadata locks by the servers' own rules of compatibility, and what no table shows by
//! state and statement.

mod compatibility;
mod cycle;
mod edges;
mod graph;
mod metadata;
mod observed;
mod rank;
mod state;
mod statement;
mod unexplained;
mod written;

pub use graph::{Party, PartyFacts, Resource, ResourceKind, Root, Unexplained, Wait, WaitGraph, graph};
pub use metadata::{LockStatus, MetadataKind, MetadataMode, MetadataObject};
pub use observed::{
    LockOwner, LockedObject, MetadataLock, Observed, RowWait, SessionFacts, SessionRole, TableName, TransactionFacts,
};
