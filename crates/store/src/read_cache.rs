//! Read-through cache for credentials, projects, instances and tasks.

use std::hash::Hash;
use std::sync::Arc;

use clew_model::{AccessKeyId, Instance, InstanceId, ProjectId, RequestId};

use crate::collection_tasks::SessionCollectionTask;
use crate::database::DataVersion;
use crate::error::StoreError;
use crate::identities::access_keys::AccessKey;
use crate::identities::tokens::StoredToken;
use crate::lockouts::auth_failures::AuthFailureRecord;
use crate::store::Store;
use crate::tenants::projects::Project;
use crate::versioned_cache::VersionedCache;

/// Lockout state of a user name or access key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockoutState {
    /// No failed attempts are recorded.
    NoFailures,
    /// Some authentication attempts failed, but the user name or access key id is not locked out.
    HasFailures,
    /// The user name or access key id is locked out after too many failed authentication attempts.
    Locked,
}

/// View of the store that returns cached values, which are at least as new as the view's data version.
#[derive(Debug, Clone)]
pub struct CachedStoreView {
    store: Store,
    version: DataVersion,
}

impl Store {
    /// Returns a view of the store that includes all changes that any process committed before the call.
    pub async fn open_cached_view(&self) -> Result<CachedStoreView, StoreError> {
        let version = self.version_tracker.current_data_version().await?;
        Ok(CachedStoreView { store: self.clone(), version })
    }
}

impl CachedStoreView {
    /// Returns a counter that increases with each change to identities, policies or the inventory of instances.
    /// Values derived from identities, policies or the inventory are valid until the access control version increases.
    #[must_use]
    pub fn access_control_version(&self) -> i64 {
        self.version.access
    }

    /// Cached version of [`IdentityStore::find_access_key`](crate::IdentityStore::find_access_key).
    pub async fn find_access_key(&self, id: &AccessKeyId) -> Result<Option<Arc<AccessKey>>, StoreError> {
        let load = || self.store.identities().find_access_key(id);
        get_or_load(&self.store.caches.keys, self.version.access, id, load).await
    }

    /// Cached version of [`IdentityStore::find_token`](crate::IdentityStore::find_token).
    pub async fn find_token(&self, hash: &[u8; 32]) -> Result<Option<Arc<StoredToken>>, StoreError> {
        let load = || self.store.identities().find_token(hash);
        get_or_load(&self.store.caches.tokens, self.version.access, hash, load).await
    }

    /// Cached version of [`TenantStore::find_project`](crate::TenantStore::find_project).
    pub async fn find_project(&self, id: &ProjectId) -> Result<Option<Arc<Project>>, StoreError> {
        let load = || self.store.tenants().find_project(id);
        get_or_load(&self.store.caches.projects, self.version.access, id, load).await
    }

    /// Cached version of [`InstanceStore::find_instance`](crate::InstanceStore::find_instance).
    pub async fn find_instance(
        &self,
        project: &ProjectId,
        id: &InstanceId,
    ) -> Result<Option<Arc<Instance>>, StoreError> {
        let load = || self.store.instances().find_instance(project, id);
        let found = get_or_load(&self.store.caches.instances, self.version.access, id, load).await?;
        Ok(found.filter(|instance| instance.project_id == *project))
    }

    /// Returns a collection task from the cache, or loads it with [`TaskStore::find_task`](crate::TaskStore::find_task).
    pub async fn find_task(&self, id: &RequestId) -> Result<Option<Arc<SessionCollectionTask>>, StoreError> {
        let load = || self.store.tasks().find_task(id);
        get_or_load(&self.store.caches.tasks, self.version.any_table, id, load).await
    }

    /// Returns the lockout state of a user name or access key id.
    pub async fn lockout_state(&self, subject: &str) -> Result<LockoutState, StoreError> {
        Ok(match self.find_auth_failures(subject).await? {
            None => LockoutState::NoFailures,
            Some(failures) if failures.active_lockout_end(self.store.clock.unix_seconds()).is_some() => {
                LockoutState::Locked
            }
            Some(_) => LockoutState::HasFailures,
        })
    }

    async fn find_auth_failures(&self, subject: &str) -> Result<Option<AuthFailureRecord>, StoreError> {
        let (cache, version) = (&self.store.caches.failures, self.version.failures);
        if let Some(failures) = cache.get(version, subject) {
            return Ok(failures);
        }
        let failures = Box::pin(self.store.lockouts().find_auth_failures(subject)).await?;
        cache.insert(version, subject.to_owned(), failures);
        Ok(failures)
    }
}

/// Unknown ids are not cached, because clients could fill the cache with them.
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
    // Boxing the future saves memory, because most requests hit the cache and need no query.
    let loaded = Box::pin(load()).await?.map(Arc::new);
    if let Some(value) = &loaded {
        cache.insert(version, key.clone(), value.clone());
    }
    Ok(loaded)
}
