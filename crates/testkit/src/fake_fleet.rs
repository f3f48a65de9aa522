//! Fleet of fake servers, each on its own port.

use std::io;
use std::sync::Arc;

use crate::fake_server::{ConnectionCounter, FakeOptions, FakeServer};
use crate::idle::raise_open_file_limit;

/// Running fake servers with a shared connection counter. Dropping this stops the servers.
#[derive(Debug)]
pub struct FakeFleet {
    nodes: Vec<FakeServer>,
    connections: Arc<ConnectionCounter>,
}

impl FakeFleet {
    /// Starts `nodes` servers with equal options. Each server needs one open file, and one more per connection.
    pub async fn start(nodes: usize, options: FakeOptions) -> io::Result<Self> {
        raise_open_file_limit(u64::try_from(nodes).unwrap_or(u64::MAX).saturating_mul(3).saturating_add(1000))?;
        let connections = Arc::<ConnectionCounter>::default();
        let mut fleet = Self { nodes: Vec::with_capacity(nodes), connections };
        for _ in 0..nodes {
            fleet.nodes.push(FakeServer::start_with_counter(options, 0, fleet.connections.clone()).await?);
        }
        Ok(fleet)
    }

    /// Returns the servers.
    #[must_use]
    pub fn nodes(&self) -> &[FakeServer] {
        &self.nodes
    }

    /// Returns the number of open connections of all servers.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.open()
    }

    /// Returns the maximum number of simultaneous connections of all servers.
    #[must_use]
    pub fn most_connections(&self) -> u64 {
        self.connections.max_open()
    }

    /// Returns the number of accepted connections of all servers.
    #[must_use]
    pub fn connections_taken(&self) -> u64 {
        self.connections.accepted()
    }
}
