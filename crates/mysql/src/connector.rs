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

/// Opens connections to nodes, within the given limits. Clones share the connection registry.
#[derive(Debug, Clone, Default)]
pub struct NodeConnector {
    /// Time and size limits of each operation on a node.
    pub limits: ReadLimits,
    /// Registry of the process's connections.
    pub registry: ConnectionRegistry,
}

impl NodeConnector {
    /// Returns a connector that uses the same connection registry and has timeouts of at most `max`.
    #[must_use]
    pub fn with_max_timeout(&self, max: Duration) -> Self {
        Self { limits: self.limits.with_max_timeout(max), registry: self.registry.clone() }
    }
}

/// State of a process's connections to nodes: open connections, connection permits, refused logins and pending kills.
/// Clones share the state.
///
/// All connections of a process must share one `ConnectionRegistry`.
/// With a second registry, the process could open more connections per node than the limit allows.
/// With a second registry, which has a different random marker, the process would not recognize its own sessions.
#[derive(Clone, Default)]
pub struct ConnectionRegistry {
    pub(crate) own_connections: OwnConnections,
    pub(crate) permits: ConnectionPermits,
    pub(crate) refused_logins: Arc<RefusedLogins>,
    pub(crate) abandoned_statements: Arc<AbandonedStatements>,
    /// Tasks that kill the statements of dropped connections. Each task outlives its connection.
    pub(crate) pending_kills: TaskTracker,
}

impl ConnectionRegistry {
    /// Creates a connection registry with the given installation marker.
    /// The installation marker lets all processes of the installation recognize each other's sessions.
    /// The installation marker must not be predictable. Clew uses only the ASCII letters and digits of the installation marker.
    ///
    /// Commands that do not open a store use [`ConnectionRegistry::default`], which generates a random marker.
    #[must_use]
    pub fn new(installation_marker: &str) -> Self {
        Self { own_connections: OwnConnections::new(installation_marker), ..Self::default() }
    }

    /// Waits until Clew has finished killing the statements of dropped connections, but no longer than `limit`.
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
