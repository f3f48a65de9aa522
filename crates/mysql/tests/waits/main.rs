//! Lock waits of every kind on real servers: the graph matches the scenarios.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod blockers;
mod full_visibility;
mod oracle;
mod partial_visibility;
mod privileges;
mod replication;
mod vanished_sessions;

use clew_mysql::NodeConnector;

thread_local! {
    /// Connector of the test that runs on this thread.
    static CONNECTOR: NodeConnector = NodeConnector::default();
}

/// Returns the connector of the current test. All operations of a test share one connection registry.
fn connector() -> NodeConnector {
    CONNECTOR.with(Clone::clone)
}
