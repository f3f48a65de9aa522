//! What is watched: a fleet of fake nodes of every kind, and a real MariaDB.

use std::time::Duration;

use clew_client::RequestId;
use clew_model::{InstanceId, NodeId};
use clew_testkit::{FakeFleet, FakeOptions, Fault, Flavor, IdleSessions, Server, ServerOptions, idle_sessions};
use fastrand::Rng;
use tokio::net::TcpSocket;

use crate::error::{FaultsError, io};

/// What is true of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It shows so many sessions.
    Fake(u64),
    /// A real server: at least so many sessions, those that this process holds open.
    Real(u64),
    /// It takes connections and closes them.
    HangsUp,
    /// Nothing listens there.
    Gone,
}

/// A node of the inventory.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) instance: InstanceId,
    pub(crate) id: NodeId,
}

/// A collection that was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) id: RequestId,
    pub(crate) node: Node,
}

/// Running nodes, before they are in an inventory.
pub(crate) struct Watched {
    fleets: Vec<(FakeFleet, Kind)>,
    real: Server,
    _sessions: IdleSessions,
    /// Held, so that nobody else listens there. Nor does this.
    gone: TcpSocket,
}

/// Nodes of a kind, their sessions, what is special, and how often in a hundred one of the kind is asked.
const FLEETS: [(usize, u64, Fault, usize); 5] = [
    (24, 20, Fault::None, 65),
    // More than a worker keeps in memory: its rows go through the disk.
    (8, 12_000, Fault::None, 10),
    // More than one part on S3.
    (2, 40_000, Fault::None, 2),
    // Five seconds: so that the holder of a lease is at work when another one comes back.
    (12, 20, Fault::Drips(Duration::from_millis(250)), 9),
    (1, 0, Fault::HangUp, 4),
];
const REAL_SESSIONS: usize = 10;
const REAL_SHARE: usize = 8;
const GONE_SHARE: usize = 2;

impl Watched {
    pub(crate) async fn start() -> Result<Self, FaultsError> {
        let mut fleets = Vec::new();
        for (nodes, sessions, fault, _) in FLEETS {
            let options = FakeOptions { sessions, transactions: sessions / 4, fault };
            let fleet = FakeFleet::start(nodes, options).await.map_err(io("start fake nodes"))?;
            fleets.push((fleet, if fault == Fault::HangUp { Kind::HangsUp } else { Kind::Fake(sessions) }));
        }
        let real = Server::start(Flavor::MariaDb, &ServerOptions::default()).await?;
        let sessions = idle_sessions(&real, REAL_SESSIONS).await.map_err(io("open sessions"))?;
        let gone = TcpSocket::new_v4().map_err(io("find a free port"))?;
        gone.bind(([127, 0, 0, 1], 0).into()).map_err(io("find a free port"))?;
        Ok(Self { fleets, real, _sessions: sessions, gone })
    }

    /// The addresses of all nodes, instance by instance, with what is true of each.
    pub(crate) fn instances(&self) -> Result<Vec<Vec<(String, Kind)>>, FaultsError> {
        let of = |(fleet, kind): &(FakeFleet, Kind)| fleet.nodes().iter().map(|node| (node.url(), *kind)).collect();
        let mut instances: Vec<Vec<(String, Kind)>> = self.fleets.iter().map(of).collect();
        instances.push(vec![(self.real.url(), Kind::Real(REAL_SESSIONS as u64))]);
        let port = self.gone.local_addr().map_err(io("find a free port"))?.port();
        instances.push(vec![(format!("mysql://clew@127.0.0.1:{port}/?tls=off"), Kind::Gone)]);
        Ok(instances)
    }
}

/// Nodes of the inventory, and how often each is asked.
#[derive(Debug, Default)]
pub(crate) struct Inventory(Vec<(Vec<Node>, usize)>);

impl Inventory {
    /// The nodes of the next instance, in the order of [`Watched::instances`].
    pub(crate) fn add(&mut self, nodes: Vec<Node>) {
        let shares = FLEETS.iter().map(|(.., share)| *share).chain([REAL_SHARE, GONE_SHARE]);
        let share = shares.into_iter().nth(self.0.len()).unwrap_or_default();
        self.0.push((nodes, share));
    }

    /// A random one.
    pub(crate) fn any(&self, rng: &mut Rng) -> Option<Node> {
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

impl Kind {
    /// Whether a whole result has so many rows.
    pub(crate) fn may_have(self, rows: u64) -> bool {
        match self {
            Self::Fake(sessions) => rows == sessions,
            Self::Real(sessions) => rows >= sessions,
            Self::HangsUp | Self::Gone => false,
        }
    }
}
