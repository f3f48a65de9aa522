//! In-memory caches shared by all requests.

use std::net::IpAddr;
use std::sync::Arc;

use clew_model::{AccessKeyId, Instance, InstanceId, ProjectId, RequestId, UserId};

use crate::collection_tasks::SessionCollectionTask;
use crate::identities::access_keys::AccessKey;
use crate::identities::tokens::StoredToken;
use crate::lockouts::auth_failures::AuthFailureRecord;
use crate::tenants::projects::Project;
use crate::versioned_cache::VersionedCache;

#[derive(Debug)]
pub(crate) struct StoreCaches {
    pub(crate) keys: VersionedCache<AccessKeyId, Arc<AccessKey>>,
    pub(crate) failures: VersionedCache<String, Option<AuthFailureRecord>>,
    pub(crate) tokens: VersionedCache<[u8; 32], Arc<StoredToken>>,
    pub(crate) projects: VersionedCache<ProjectId, Arc<Project>>,
    pub(crate) instances: VersionedCache<InstanceId, Arc<Instance>>,
    pub(crate) tasks: VersionedCache<RequestId, Arc<SessionCollectionTask>>,
    addresses: VersionedCache<(UserId, IpAddr), RecordedClientAddress>,
}

impl Default for StoreCaches {
    fn default() -> Self {
        Self {
            keys: VersionedCache::with_capacity(1024),
            failures: VersionedCache::with_capacity(1024),
            tokens: VersionedCache::with_capacity(1024),
            projects: VersionedCache::with_capacity(1024),
            instances: VersionedCache::with_capacity(2048),
            tasks: VersionedCache::with_capacity(2048),
            addresses: VersionedCache::with_capacity(4096),
        }
    }
}

#[derive(Debug, Clone)]
struct RecordedClientAddress {
    text: Arc<str>,
    /// Unix timestamp in seconds.
    recorded_at: i64,
}

/// All cached client addresses have this version, because changes to the database do not invalidate them.
const CONSTANT_CACHE_VERSION: i64 = 0;

impl StoreCaches {
    /// `since` is a Unix timestamp in seconds.
    pub(crate) fn find_recent_client_address(&self, user: &UserId, address: IpAddr, since: i64) -> Option<Arc<str>> {
        let recorded = self.addresses.get(CONSTANT_CACHE_VERSION, &(user.clone(), address));
        recorded.filter(|address| address.recorded_at > since).map(|address| address.text)
    }

    pub(crate) fn record_client_address(&self, user: &UserId, address: IpAddr, recorded_at: i64) {
        let recorded = RecordedClientAddress { text: address.to_string().into(), recorded_at };
        self.addresses.insert(CONSTANT_CACHE_VERSION, (user.clone(), address), recorded);
    }

    pub(crate) fn evict_client_address(&self, user: &UserId, address: IpAddr) {
        self.addresses.remove(&(user.clone(), address));
    }
}
