//! Nodes that Clew monitors during a run: fleets of fake servers with different behaviors, and a MariaDB server.

use std::time::Duration;

use clew_client::RequestId;
use clew_model::{InstanceId, NodeId};
use clew_testkit::{
    DatabaseServer, DatabaseServerOptions, FakeServerFleet, FakeServerOptions, Fault, Flavor, IdleSessions,
    open_idle_sessions,
};
use fastrand::Rng;
use tokio::net::TcpSocket;

use crate::error::{ChaosError, operation_error};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// Fake server whose process list contains the specified number of sessions.
    Fake(u64),
    /// MariaDB server with the specified number of sessions, which the test process keeps open.
    Real(u64),
    ClosesConnections,
    Unreachable,
}

#[derive(Debug, Clone)]
pub(crate) struct RegisteredNode {
    pub(crate) kind: NodeKind,
    pub(crate) instance: InstanceId,
    pub(crate) id: NodeId,
}

#[derive(Debug, Clone)]
pub(crate) struct AcceptedCollectionRequest {
    pub(crate) id: RequestId,
    pub(crate) node: RegisteredNode,
}

pub(crate) struct MonitoredNodes {
    fleets: Vec<(FakeServerFleet, NodeKind)>,
    real_server: DatabaseServer,
    _sessions: IdleSessions,
    /// Socket that reserves the port of the unreachable node but does not listen on the port.
    unreachable: TcpSocket,
}

/// Groups of fake servers: number of servers, sessions per server, fault, and percentage of collection requests.
const FAKE_SERVER_FLEETS: [(usize, u64, Fault, usize); 5] = [
    (24, 20, Fault::None, 65),
    // Results with more rows than a worker holds in memory, so that the worker spills rows to disk.
    (8, 12_000, Fault::None, 10),
    // Results that are large enough for a multipart upload to S3.
    (2, 40_000, Fault::None, 2),
    // Each read takes five seconds, so that a worker that lost its lease can resume while the new lease holder reads.
    (12, 20, Fault::DelayPerRow(Duration::from_millis(250)), 9),
    (1, 0, Fault::CloseOnConnect, 4),
];
const REAL_SERVER_SESSION_COUNT: usize = 10;
const REAL_SERVER_REQUEST_PERCENT: usize = 8;
const UNREACHABLE_NODE_REQUEST_PERCENT: usize = 2;

impl MonitoredNodes {
    pub(crate) async fn start() -> Result<Self, ChaosError> {
        let mut fleets = Vec::new();
        for (nodes, sessions, fault, _) in FAKE_SERVER_FLEETS {
            let options = FakeServerOptions { sessions, transactions: sessions / 4, fault };
            let fleet = FakeServerFleet::start(nodes, options).await.map_err(operation_error("start fake nodes"))?;
            let kind =
                if fault == Fault::CloseOnConnect { NodeKind::ClosesConnections } else { NodeKind::Fake(sessions) };
            fleets.push((fleet, kind));
        }
        let real_server = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await?;
        let sessions = open_idle_sessions(&real_server, REAL_SERVER_SESSION_COUNT)
            .await
            .map_err(operation_error("open sessions"))?;
        let unreachable = TcpSocket::new_v4().map_err(operation_error("find a free port"))?;
        unreachable.bind(([127, 0, 0, 1], 0).into()).map_err(operation_error("find a free port"))?;
        Ok(Self { fleets, real_server, _sessions: sessions, unreachable })
    }

    pub(crate) fn nodes_by_instance(&self) -> Result<Vec<Vec<(String, NodeKind)>>, ChaosError> {
        let nodes_of = |(fleet, kind): &(FakeServerFleet, NodeKind)| {
            fleet.servers.iter().map(|node| (node.url(), *kind)).collect()
        };
        let mut instances: Vec<Vec<(String, NodeKind)>> = self.fleets.iter().map(nodes_of).collect();
        instances.push(vec![(self.real_server.url(), NodeKind::Real(REAL_SERVER_SESSION_COUNT as u64))]);
        let port = self.unreachable.local_addr().map_err(operation_error("find a free port"))?.port();
        instances.push(vec![(format!("mysql://clew@127.0.0.1:{port}/?tls=off"), NodeKind::Unreachable)]);
        Ok(instances)
    }
}

/// Registered nodes of each instance, and each instance's share of the requests in percent.
#[derive(Debug, Default)]
pub(crate) struct NodeInventory(Vec<(Vec<RegisteredNode>, usize)>);

impl NodeInventory {
    /// Callers must add instances in the order of [`MonitoredNodes::nodes_by_instance`], which determines their share of requests.
    pub(crate) fn add_instance(&mut self, nodes: Vec<RegisteredNode>) {
        let shares = FAKE_SERVER_FLEETS
            .iter()
            .map(|(.., share)| *share)
            .chain([REAL_SERVER_REQUEST_PERCENT, UNREACHABLE_NODE_REQUEST_PERCENT]);
        let share = shares.into_iter().nth(self.0.len()).unwrap_or_default();
        self.0.push((nodes, share));
    }

    pub(crate) fn choose_random_node(&self, rng: &mut Rng) -> Option<RegisteredNode> {
        let mut at = rng.usize(..self.0.iter().map(|(_, share)| share).sum::<usize>());
        for (nodes, share) in &self.0 {
            if at < *share {
                return rng.choice(nodes).cloned();
            }
            at -= share;
        }
        None
    }
}

impl NodeKind {
    pub(crate) fn is_valid_row_count(self, rows: u64) -> bool {
        match self {
            Self::Fake(sessions) => rows == sessions,
            Self::Real(sessions) => rows >= sessions,
            Self::ClosesConnections | Self::Unreachable => false,
        }
    }
}
