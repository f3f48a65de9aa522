//! Fleet of fake MySQL servers.

use std::io;
use std::sync::Arc;

use crate::fake_server::{ConnectionCounter, FakeServer, FakeServerOptions};
use crate::idle_sessions::raise_open_file_limit;

/// Fake MySQL servers with a shared connection counter. Dropping the fleet stops the servers.
#[derive(Debug)]
pub struct FakeServerFleet {
    /// Fake servers of the fleet.
    pub servers: Vec<FakeServer>,
    /// Total connection counts of all servers.
    pub connections: Arc<ConnectionCounter>,
}

impl FakeServerFleet {
    /// Starts the given number of fake MySQL servers with the same options.
    /// Each server requires one file descriptor for its listener and one for each connection.
    pub async fn start(nodes: usize, options: FakeServerOptions) -> io::Result<Self> {
        raise_open_file_limit(u64::try_from(nodes).unwrap_or(u64::MAX).saturating_mul(3).saturating_add(1000))?;
        let connections = Arc::<ConnectionCounter>::default();
        let mut fleet = Self { servers: Vec::with_capacity(nodes), connections };
        for _ in 0..nodes {
            fleet.servers.push(FakeServer::start_with_connection_counter(options, 0, fleet.connections.clone()).await?);
        }
        Ok(fleet)
    }
}
