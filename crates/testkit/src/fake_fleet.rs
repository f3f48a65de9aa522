//! Fleet of fake servers, each on a separate port.

use std::io;
use std::sync::Arc;

use crate::fake_server::{ConnectionCounter, FakeOptions, FakeServer};
use crate::idle::raise_open_file_limit;

/// Running fake servers with a shared connection counter. `Drop` stops all servers.
#[derive(Debug)]
pub struct FakeFleet {
    nodes: Vec<FakeServer>,
    connections: Arc<ConnectionCounter>,
}

impl FakeFleet {
    /// Starts `nodes` fake servers with the same options.
    /// Each server requires one file descriptor for the listener, plus one per connection.
    pub async fn start(nodes: usize, options: FakeOptions) -> io::Result<Self> {
        raise_open_file_limit(u64::try_from(nodes).unwrap_or(u64::MAX).saturating_mul(3).saturating_add(1000))?;
        let connections = Arc::<ConnectionCounter>::default();
        let mut fleet = Self { nodes: Vec::with_capacity(nodes), connections };
        for _ in 0..nodes {
            fleet.nodes.push(FakeServer::start_with_counter(options, 0, fleet.connections.clone()).await?);
        }
        Ok(fleet)
    }

    /// Returns the fake servers of the fleet.
    #[must_use]
    pub fn servers(&self) -> &[FakeServer] {
        &self.nodes
    }

    /// Returns the total number of open connections across all servers.
    #[must_use]
    pub fn open_connections(&self) -> u64 {
        self.connections.open_connections()
    }

    /// Returns the maximum number of simultaneous connections across all servers.
    #[must_use]
    pub fn max_open_connections(&self) -> u64 {
        self.connections.max_open_connections()
    }

    /// Returns the total number of accepted connections across all servers.
    #[must_use]
    pub fn accepted_connections(&self) -> u64 {
        self.connections.accepted_connections()
    }
}
