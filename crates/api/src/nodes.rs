//! Reads of nodes that an answer waits for: bounded in time, and few of a node at once.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clew_model::{ErrorEntry, Failure, FailureKind, Node, NodeId};
use clew_mysql::Limits;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::refusal::{Detail, Refusal};

/// Reads of a node at once. A node that is sick gets no sicker by being looked at.
const AT_ONCE: usize = 2;

/// How nodes are read while somebody waits for the answer. Clones share everything.
#[derive(Debug, Clone, Default)]
pub struct NodeReads {
    limits: Limits,
    /// Places of nodes that are being read.
    places: Arc<Mutex<HashMap<NodeId, Arc<Semaphore>>>>,
}

impl NodeReads {
    /// Reads that keep these limits, the wait for a place included.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, places: Arc::default() }
    }

    /// What `read` finds out about a node, once there is a place; it is given what is left of the limits. A failure is answered with
    /// its reason.
    pub(crate) async fn read<T, F>(&self, node: &Node, read: impl FnOnce(Limits) -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let start = Instant::now();
        let places = self.places_of(&node.id);
        let Ok(_place) = timeout(self.limits.node, places.acquire()).await else {
            let seconds = self.limits.node.as_secs_f32();
            let detail = format!("{AT_ONCE} others read it already, and none ended within {seconds} s");
            return Err(failed(Failure::new(FailureKind::TimedOut, detail)));
        };
        // In whole milliseconds: messages show the limit.
        let waited = Duration::from_millis(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
        let node = self.limits.node.saturating_sub(waited);
        read(Limits { node, connect: self.limits.connect.min(node) }).await.map_err(failed)
    }

    fn places_of(&self, node: &NodeId) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|known, places| known == node || Arc::strong_count(places) > 1);
        places.entry(node.clone()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
    }
}

/// A node that could not be asked, with the reason.
pub(crate) fn failed(failure: Failure) -> Refusal {
    Refusal { detail: Detail::Failure(failure), ..Refusal::new(ErrorEntry::INTERNAL) }
}
