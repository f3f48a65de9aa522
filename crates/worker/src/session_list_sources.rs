//! Maps each user and node to the server instance that returned the user's latest session list.
//!
//! The API request `DELETE …/processes` identifies sessions only by thread id.
//! A thread id can be reused when a server restarts or when an address moves to another server.
//! Clew refuses the kill request if the server instance has changed since the user read the session list.
//! The recorded server instance expires 10 minutes after Clew read the session list.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use clew_model::{NodeId, UserId};
use clew_mysql::ServerInstance;
use lru::LruCache;
use parking_lot::Mutex;

const MAX_RECORDED_SERVER_INSTANCES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

const MAX_SESSION_LIST_AGE: Duration = Duration::from_mins(10);

#[derive(Debug)]
struct SessionListSource {
    server: ServerInstance,
    read_at: Instant,
}

/// Server instances that returned the latest session lists, keyed by user and node.
#[derive(Debug)]
pub struct SessionListSources(Mutex<LruCache<(UserId, NodeId), SessionListSource>>);

impl Default for SessionListSources {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_RECORDED_SERVER_INSTANCES)))
    }
}

impl SessionListSources {
    /// Records `server` as the server instance that returned the user's latest session list for the node.
    pub fn set_session_list_source(&self, user: &UserId, node: &NodeId, server: ServerInstance) {
        self.set_session_list_source_at(user, node, server, Instant::now());
    }

    /// Returns `true` if the user's latest session list is less than 10 minutes old and was not read from `server`.
    #[must_use]
    pub fn has_server_changed(&self, user: &UserId, node: &NodeId, server: &ServerInstance) -> bool {
        self.has_server_changed_at(user, node, server, Instant::now())
    }

    fn set_session_list_source_at(&self, user: &UserId, node: &NodeId, server: ServerInstance, read_at: Instant) {
        let mut lists = self.0.lock();
        lists.put((user.clone(), node.clone()), SessionListSource { server, read_at });
    }

    fn has_server_changed_at(&self, user: &UserId, node: &NodeId, server: &ServerInstance, now: Instant) -> bool {
        let mut lists = self.0.lock();
        let list = lists.get(&(user.clone(), node.clone()));
        list.is_some_and(|list| now.duration_since(list.read_at) < MAX_SESSION_LIST_AGE && list.server != *server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_of_another_server_counts_for_ten_minutes() {
        let [one, other]: [ServerInstance; 2] =
            ["uuid@1790000000", "uuid@1790000001"].map(|server| server.parse().unwrap());
        let (user, node) = (UserId::generate(), NodeId::generate());
        let (lists, read_at) = (SessionListSources::default(), Instant::now());
        lists.set_session_list_source_at(&user, &node, one, read_at);
        let has_server_changed =
            |after: u64| lists.has_server_changed_at(&user, &node, &other, read_at + Duration::from_secs(after));
        assert!(has_server_changed(0) && has_server_changed(599));
        assert!(!has_server_changed(600), "the ids may come from another list by then");
        lists.set_session_list_source_at(&user, &node, other.clone(), read_at);
        assert!(!has_server_changed(0));
    }
}
