//! The server that each user saw in the latest list of a node's sessions.
//!
//! `DELETE …/processes` names sessions by id alone, and ids start again when a server restarts or an address moves to another server. Where this
//! process answered the user's list a moment ago, ids of that list are not applied to another server. Older lists prove nothing: the ids may come from
//! a list of another process, or from the page.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clew_model::{NodeId, UserId};
use clew_mysql::ServerInstance;
use lru::LruCache;

/// Users times nodes; the latest are kept.
const MAX_LISTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// Age from which a list is no evidence any more.
const MAX_AGE: Duration = Duration::from_mins(10);

/// A list: which server it was of, and when it was read.
#[derive(Debug)]
struct List {
    server: ServerInstance,
    read_at: Instant,
}

/// The latest lists.
#[derive(Debug)]
pub(crate) struct ListedServers(Mutex<LruCache<(UserId, NodeId), List>>);

impl Default for ListedServers {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_LISTS)))
    }
}

impl ListedServers {
    /// Records that a user saw a list of a node.
    pub(super) fn record(&self, user: &UserId, node: &NodeId, server: ServerInstance) {
        self.record_at(user, node, server, Instant::now());
    }

    /// Whether the user's latest list of the node is recent, and of another server.
    pub(super) fn is_another(&self, user: &UserId, node: &NodeId, server: &ServerInstance) -> bool {
        self.is_another_at(user, node, server, Instant::now())
    }

    fn record_at(&self, user: &UserId, node: &NodeId, server: ServerInstance, read_at: Instant) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.put((user.clone(), node.clone()), List { server, read_at });
    }

    fn is_another_at(&self, user: &UserId, node: &NodeId, server: &ServerInstance, now: Instant) -> bool {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let list = lists.get(&(user.clone(), node.clone()));
        list.is_some_and(|list| now.duration_since(list.read_at) < MAX_AGE && list.server != *server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_of_another_server_is_evidence_for_ten_minutes() {
        let [one, other]: [ServerInstance; 2] =
            ["uuid@1790000000", "uuid@1790000001"].map(|server| server.parse().unwrap());
        let (user, node) = (UserId::generate(), NodeId::generate());
        let (lists, read_at) = (ListedServers::default(), Instant::now());
        lists.record_at(&user, &node, one, read_at);
        let is_another = |after: u64| lists.is_another_at(&user, &node, &other, read_at + Duration::from_secs(after));
        assert!(is_another(0) && is_another(599));
        assert!(!is_another(600), "the ids may come from another list by then");
        lists.record_at(&user, &node, other.clone(), read_at);
        assert!(!is_another(0));
    }
}
