//! The same operations on every server release that tests can start.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod compatibility;
mod server_errors;

use clew_mysql::NodeConnector;

thread_local! {
    /// Connector of the test that runs on this thread.
    static CONNECTOR: NodeConnector = NodeConnector::default();
}

/// Returns the connector of the current test. All operations of a test share one connection registry.
fn connector() -> NodeConnector {
    CONNECTOR.with(Clone::clone)
}
