//! Limits and shared state for connections to nodes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::abandoned_statements::AbandonedStatements;
use crate::connection_limit::ConnectionPermits;
use crate::own_sessions::OwnConnections;
use crate::read_limits::ReadLimits;
use crate::refused_logins::RefusedLogins;

/// Opens connections to nodes and applies time and size limits. Clones share one connection registry.
#[derive(Debug, Clone, Default)]
pub struct NodeConnector {
    /// Time and size limits for each operation on a node.
    pub limits: ReadLimits,
    /// Registry of the process's connections.
    pub registry: ConnectionRegistry,
}

impl NodeConnector {
    /// Returns a copy of the connector with timeouts of at most `max`. The copy shares the connection registry.
    #[must_use]
    pub fn with_max_timeout(&self, max: Duration) -> Self {
        Self { limits: self.limits.with_max_timeout(max), registry: self.registry.clone() }
    }
}

/// Connection state of a process: open connections, connection permits, refused logins and pending kills.
/// Clones share the state.
///
/// All connections of a process must share one `ConnectionRegistry`.
/// With a second registry, the process could open more connections to a node than the limit allows.
/// A second registry does not contain the connections of the first, so the process would not recognize all its own sessions.
#[derive(Clone, Default)]
pub struct ConnectionRegistry {
    pub(crate) own_connections: OwnConnections,
    pub(crate) permits: ConnectionPermits,
    pub(crate) refused_logins: Arc<RefusedLogins>,
    pub(crate) abandoned_statements: Arc<AbandonedStatements>,
    /// Tasks that kill statements that the server may still be running after Clew dropped the connection.
    pub(crate) pending_kills: TaskTracker,
}

impl ConnectionRegistry {
    /// Creates a connection registry. All processes of a Clew installation pass the same `installation_marker`.
    /// All Clew processes of an installation use the installation marker to recognize each other's sessions.
    /// The installation marker must be unpredictable. Clew ignores all its characters except ASCII letters and digits.
    ///
    /// Commands that do not open a store use [`ConnectionRegistry::default`], which generates a random installation marker.
    #[must_use]
    pub fn new(installation_marker: &str) -> Self {
        Self { own_connections: OwnConnections::new(installation_marker), ..Self::default() }
    }

    /// Waits until Clew has killed the running statements of dropped connections, or until `limit` expires.
    /// A process must call [`ConnectionRegistry::wait_for_pending_kills`] before it exits.
    pub async fn wait_for_pending_kills(&self, limit: Duration) {
        self.pending_kills.close();
        let _ = timeout(limit, self.pending_kills.wait()).await;
        self.pending_kills.reopen();
    }
}

/// The `Debug` output omits the installation marker, because other clients must not be able to guess the marker.
impl fmt::Debug for ConnectionRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionRegistry").finish_non_exhaustive()
    }
}
