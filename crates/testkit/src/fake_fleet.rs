//! Many fakes: a fleet of nodes, each on a port of its own.

use std::io;
use std::sync::Arc;

use crate::fake_server::{ConnectionCounter, FakeOptions, FakeServer};
use crate::idle::allow_open_files;

/// Running fakes that count their connections together. They end when this is dropped.
#[derive(Debug)]
pub struct FakeFleet {
    nodes: Vec<FakeServer>,
    connections: Arc<ConnectionCounter>,
}

impl FakeFleet {
    /// Starts so many alike. Each takes an open file, and one more for each of its connections.
    pub async fn start(nodes: usize, options: FakeOptions) -> io::Result<Self> {
        allow_open_files(u64::try_from(nodes).unwrap_or(u64::MAX).saturating_mul(3).saturating_add(1000))?;
        let connections = Arc::<ConnectionCounter>::default();
        let mut fleet = Self { nodes: Vec::with_capacity(nodes), connections };
        for _ in 0..nodes {
            fleet.nodes.push(FakeServer::start_with_counter(options, 0, fleet.connections.clone()).await?);
        }
        Ok(fleet)
    }

    /// Its nodes.
    #[must_use]
    pub fn nodes(&self) -> &[FakeServer] {
        &self.nodes
    }

    /// ConnectionCounter that are open now, of all nodes.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.open()
    }

    /// The most connections that were ever open at once, of all nodes.
    #[must_use]
    pub fn most_connections(&self) -> u64 {
        self.connections.max_open()
    }

    /// The connections that were ever taken, of all nodes.
    #[must_use]
    pub fn connections_taken(&self) -> u64 {
        self.connections.accepted()
    }
}
