//! Registry of node watches. A watch exists while its node has subscribers and for a short time afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clew_model::{InstanceId, NodeId};
use clew_mysql::NodeConnector;
use clew_store::Store;
use tokio_util::sync::CancellationToken;

use super::node_watch::{NodeWatch, Subscription};

/// Registry of the nodes that this process samples for event streams. Clones share the same registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeWatchRegistry(Arc<NodeWatchRegistryState>);

#[derive(Debug, Default)]
struct NodeWatchRegistryState {
    watches: Mutex<HashMap<NodeId, Arc<NodeWatch>>>,
    shutdown: CancellationToken,
}

impl NodeWatchRegistry {
    pub(super) fn subscribe(
        &self,
        store: &Store,
        connector: NodeConnector,
        instance: &InstanceId,
        node: &NodeId,
        interval: Duration,
    ) -> Subscription {
        let mut watches = self.0.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = watches.entry(node.clone()).or_insert_with(|| {
            let watch = NodeWatch::new(instance.clone(), node.clone());
            let registry = self.clone();
            let remove_if_unused = move |watch: &NodeWatch| registry.remove_if_unused(watch);
            tokio::spawn(watch.clone().run(store.clone(), connector, self.shutdown_token(), remove_if_unused));
            watch
        });
        watch.subscribe(interval)
    }

    /// Returns `true` if the watch had no subscribers and was removed.
    /// The registry lock prevents [`NodeWatchRegistry::subscribe`] from adding a subscriber during the removal.
    fn remove_if_unused(&self, watch: &NodeWatch) -> bool {
        let mut watches = self.0.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = watch.has_no_subscribers();
        if removed {
            watches.remove(watch.node_id());
        }
        removed
    }

    pub(super) fn shutdown_token(&self) -> CancellationToken {
        self.0.shutdown.clone()
    }

    pub(crate) fn shut_down(&self) {
        self.0.shutdown.cancel();
    }
}
