//! The server that each user saw in the latest list of a node's sessions.
//!
//! `DELETE …/processes` names sessions by id alone, and ids start again when a server restarts or an address moves to another server. Where this
//! process answered the user's list, ids of that list are not applied to another server.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use clew_model::{NodeId, UserId};
use clew_mysql::ServerInstance;
use lru::LruCache;

/// Users times nodes; the latest are kept.
const MAX_LISTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// The latest lists.
#[derive(Debug)]
pub(crate) struct ListedServers(Mutex<LruCache<(UserId, NodeId), ServerInstance>>);

impl Default for ListedServers {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_LISTS)))
    }
}

impl ListedServers {
    /// Records that a user saw a list of a node.
    pub(super) fn record(&self, user: &UserId, node: &NodeId, server: ServerInstance) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.put((user.clone(), node.clone()), server);
    }

    /// Whether the user's latest list of the node is of another server.
    pub(super) fn is_another(&self, user: &UserId, node: &NodeId, server: &ServerInstance) -> bool {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.get(&(user.clone(), node.clone())).is_some_and(|listed| listed != server)
    }
}
