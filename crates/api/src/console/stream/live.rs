//! Which nodes are watched: those that somebody looks at, and those that somebody may come back to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clew_model::{InstanceId, NodeId};
use tokio_util::sync::CancellationToken;

use super::watched::{Seat, Watched};
use crate::Service;

/// All watches of this process. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    nodes: Mutex<HashMap<NodeId, Arc<Watched>>>,
    shutdown: CancellationToken,
}

impl Live {
    /// Takes a seat before a node, which is watched from now on, if it was not before.
    pub(super) fn look_at(&self, service: &Service, instance: &InstanceId, node: &NodeId, wish: Duration) -> Seat {
        let mut nodes = self.0.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = nodes.entry(node.clone()).or_insert_with(|| {
            let watched = Watched::new(instance.clone(), node.clone());
            tokio::spawn(watched.clone().watch(service.clone(), self.clone()));
            watched
        });
        watched.seat(wish)
    }

    /// Forgets a node, unless somebody looks at it again.
    pub(super) fn forget(&self, watched: &Watched) -> bool {
        let mut nodes = self.0.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = watched.is_alone();
        if forgotten {
            nodes.remove(watched.node());
        }
        forgotten
    }

    /// Cancelled when no more events are to go out.
    pub(super) fn shutdown(&self) -> CancellationToken {
        self.0.shutdown.clone()
    }

    /// Ends all watches: their viewers are told.
    pub(crate) fn end(&self) {
        self.0.shutdown.cancel();
    }
}
