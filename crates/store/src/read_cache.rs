//! Cache for reads of credentials, projects, instances and tasks.
//!
//! A request creates a [`CachedView`] and reads all of these entities through this view.
//! The view returns cached values only if the data version ([`crate::data_version`]) has not changed.

use std::hash::Hash;
use std::sync::Arc;

use clew_model::{AccessKeyId, Instance, InstanceId, ProjectId, RequestId, UserId};

use crate::credentials::{AccessKey, StoredToken};
use crate::data_version::DataVersion;
use crate::error::StoreError;
use crate::metadata::lockouts::AuthFailures;
use crate::store::Store;
use crate::tasks::CollectionTask;
use crate::tenants::Project;
use crate::versioned_cache::VersionedCache;

/// Caches that all requests share.
#[derive(Debug)]
pub(crate) struct Caches {
    keys: VersionedCache<AccessKeyId, Arc<AccessKey>>,
    failures: VersionedCache<String, Option<AuthFailures>>,
    tokens: VersionedCache<[u8; 32], Arc<StoredToken>>,
    projects: VersionedCache<ProjectId, Arc<Project>>,
    instances: VersionedCache<InstanceId, Arc<Instance>>,
    tasks: VersionedCache<RequestId, Arc<CollectionTask>>,
    /// Time of the last write of a user's address, as a Unix timestamp in seconds.
    addresses: VersionedCache<(UserId, String), i64>,
}

impl Default for Caches {
    /// Creates the caches with capacities for the working set of a busy server.
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

/// Constant version of the address cache, whose entries never become stale.
const ADDRESS_VERSION: i64 = 0;

impl Caches {
    /// Returns true if this process has recorded the user's address after `since`, a Unix timestamp in seconds.
    pub(crate) fn is_address_recorded_since(&self, user: &UserId, address: &str, since: i64) -> bool {
        let recorded = self.addresses.get(ADDRESS_VERSION, &(user.clone(), address.to_owned()));
        recorded.is_some_and(|at| at > since)
    }

    pub(crate) fn record_address(&self, user: &UserId, address: &str, at: i64) {
        self.addresses.insert(ADDRESS_VERSION, (user.clone(), address.to_owned()), at);
    }
}

/// View of the store that returns cached values of one data version. Other values are read from the database.
#[derive(Debug, Clone)]
pub struct CachedView {
    store: Store,
    version: DataVersion,
}

impl Store {
    /// Returns a view that includes all commits before the call, by any process.
    pub async fn cached_view(&self) -> Result<CachedView, StoreError> {
        let version = self.version_tracker.current_version().await?;
        Ok(CachedView { store: self.clone(), version })
    }
}

impl CachedView {
    /// Returns the version of identities, policies and the inventory.
    /// Values that are derived from this data are valid as long as the version is unchanged.
    #[must_use]
    pub fn access_version(&self) -> i64 {
        self.version.access
    }

    /// See [`Store::access_key`].
    pub async fn access_key(&self, id: &AccessKeyId) -> Result<Option<Arc<AccessKey>>, StoreError> {
        let load = || self.store.access_key(id);
        get_or_load(&self.store.caches.keys, self.version.access, id, load).await
    }

    /// See [`Store::token`].
    pub async fn token(&self, hash: &[u8; 32]) -> Result<Option<Arc<StoredToken>>, StoreError> {
        let load = || self.store.token(hash);
        get_or_load(&self.store.caches.tokens, self.version.access, hash, load).await
    }

    /// See [`Store::project`].
    pub async fn project(&self, id: &ProjectId) -> Result<Option<Arc<Project>>, StoreError> {
        let load = || self.store.project(id);
        get_or_load(&self.store.caches.projects, self.version.access, id, load).await
    }

    /// See [`Store::instance`].
    pub async fn instance(&self, project: &ProjectId, id: &InstanceId) -> Result<Option<Arc<Instance>>, StoreError> {
        let load = || self.store.instance(project, id);
        let found = get_or_load(&self.store.caches.instances, self.version.access, id, load).await?;
        Ok(found.filter(|instance| instance.project_id == *project))
    }

    /// See [`Store::task`].
    pub async fn task(&self, id: &RequestId) -> Result<Option<Arc<CollectionTask>>, StoreError> {
        let load = || self.store.task(id);
        get_or_load(&self.store.caches.tasks, self.version.any_table, id, load).await
    }

    /// Returns true if a subject is locked out. See [`Store::find_lockout_end`].
    pub async fn is_locked(&self, subject: &str) -> Result<bool, StoreError> {
        let failures = self.auth_failures(subject).await?;
        Ok(failures.is_some_and(|failures| failures.lockout_end(self.store.clock.unix_seconds()).is_some()))
    }

    /// Deletes the authentication failures of a subject. See [`Store::clear_auth_failures`].
    pub async fn clear_auth_failures(&self, subject: &str) -> Result<(), StoreError> {
        match self.auth_failures(subject).await? {
            Some(_) => Box::pin(self.store.clear_auth_failures(subject)).await,
            None => Ok(()),
        }
    }

    async fn auth_failures(&self, subject: &str) -> Result<Option<AuthFailures>, StoreError> {
        let (cache, version) = (&self.store.caches.failures, self.version.failures);
        if let Some(failures) = cache.get(version, subject) {
            return Ok(failures);
        }
        let failures = Box::pin(self.store.auth_failures(subject)).await?;
        cache.insert(version, subject.to_owned(), failures);
        Ok(failures)
    }
}

/// Returns the cached value or loads it. Missing values are not cached, because clients can request arbitrary ids.
async fn get_or_load<K, V, R>(
    cache: &VersionedCache<K, Arc<V>>,
    version: i64,
    key: &K,
    load: impl FnOnce() -> R,
) -> Result<Option<Arc<V>>, StoreError>
where
    K: Eq + Hash + Clone,
    R: Future<Output = Result<Option<V>, StoreError>>,
{
    if let Some(value) = cache.get(version, key) {
        return Ok(Some(value));
    }
    // The future is boxed, because most requests hit the cache and should not reserve memory for a query.
    let loaded = Box::pin(load()).await?.map(Arc::new);
    if let Some(value) = &loaded {
        cache.insert(version, key.clone(), value.clone());
    }
    Ok(loaded)
}
