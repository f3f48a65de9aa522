//! What is known, as of one moment.
//!
//! A request takes one [`View`] and reads everything through it that it needs to know of who asks and what for. Most of it was read
//! before and is still true: [`Store::view`] has asked ([`crate::freshness`]).

use std::hash::Hash;
use std::sync::Arc;

use clew_model::{AccessKeyId, Instance, InstanceId, ProjectId, RequestId, UserId};

use crate::error::StoreError;
use crate::freshness::Moment;
use crate::keys::{AccessKey, StoredToken};
use crate::metadata::lockouts::Failures;
use crate::remembered::Remembered;
use crate::store::Store;
use crate::tasks::Task;
use crate::tenants::Project;

/// What was read, by whichever request.
#[derive(Debug)]
pub(crate) struct Memory {
    keys: Remembered<AccessKeyId, Arc<AccessKey>>,
    failures: Remembered<String, Option<Failures>>,
    tokens: Remembered<[u8; 32], Arc<StoredToken>>,
    projects: Remembered<ProjectId, Arc<Project>>,
    instances: Remembered<InstanceId, Arc<Instance>>,
    tasks: Remembered<RequestId, Arc<Task>>,
    /// When an address of a user was last recorded, in seconds since 1970 (UTC).
    addresses: Remembered<(UserId, String), i64>,
}

impl Default for Memory {
    /// Of each so many that a busy server never reads the same again and again, and a bound, so that many do not fill the memory.
    fn default() -> Self {
        Self {
            keys: Remembered::at_most(1024),
            failures: Remembered::at_most(1024),
            tokens: Remembered::at_most(1024),
            projects: Remembered::at_most(1024),
            instances: Remembered::at_most(2048),
            tasks: Remembered::at_most(2048),
            addresses: Remembered::at_most(4096),
        }
    }
}

/// Recorded addresses do not become untrue: they have one version only.
const ADDRESS_VERSION: i64 = 0;

impl Memory {
    /// Whether this process has recorded the address of a user since a moment.
    pub(crate) fn was_recorded(&self, user: &UserId, address: &str, since: i64) -> bool {
        let recorded = self.addresses.get(ADDRESS_VERSION, &(user.clone(), address.to_owned()));
        recorded.is_some_and(|at| at > since)
    }

    pub(crate) fn recorded(&self, user: &UserId, address: &str, at: i64) {
        self.addresses.keep(ADDRESS_VERSION, (user.clone(), address.to_owned()), at);
    }
}

/// What the store knew at one moment, or knows since.
#[derive(Debug, Clone)]
pub struct View {
    store: Store,
    moment: Moment,
}

impl Store {
    /// A view as of now: whatever was committed before this was called is in it, by whatever process.
    pub async fn view(&self) -> Result<View, StoreError> {
        let moment = self.freshness.moment().await?;
        Ok(View { store: self.clone(), moment })
    }
}

impl View {
    /// A number that every change of identities, policies and the inventory raises. What was computed from them is good as long as it
    /// stays the same.
    #[must_use]
    pub fn access_version(&self) -> i64 {
        self.moment.access
    }

    /// See [`Store::access_key`].
    pub async fn access_key(&self, id: &AccessKeyId) -> Result<Option<Arc<AccessKey>>, StoreError> {
        let read = || self.store.access_key(id);
        known(&self.store.memory.keys, self.moment.access, id, read).await
    }

    /// See [`Store::token`].
    pub async fn token(&self, hash: &[u8; 32]) -> Result<Option<Arc<StoredToken>>, StoreError> {
        let read = || self.store.token(hash);
        known(&self.store.memory.tokens, self.moment.access, hash, read).await
    }

    /// See [`Store::project`].
    pub async fn project(&self, id: &ProjectId) -> Result<Option<Arc<Project>>, StoreError> {
        let read = || self.store.project(id);
        known(&self.store.memory.projects, self.moment.access, id, read).await
    }

    /// See [`Store::instance`].
    pub async fn instance(&self, project: &ProjectId, id: &InstanceId) -> Result<Option<Arc<Instance>>, StoreError> {
        let read = || self.store.instance(project, id);
        let found = known(&self.store.memory.instances, self.moment.access, id, read).await?;
        Ok(found.filter(|instance| instance.project_id == *project))
    }

    /// See [`Store::task`].
    pub async fn task(&self, id: &RequestId) -> Result<Option<Arc<Task>>, StoreError> {
        let read = || self.store.task(id);
        known(&self.store.memory.tasks, self.moment.anything, id, read).await
    }

    /// Whether a subject is locked: see [`Store::locked_until`].
    pub async fn is_locked(&self, subject: &str) -> Result<bool, StoreError> {
        let failures = self.failures(subject).await?;
        Ok(failures.is_some_and(|failures| failures.lock_at(self.store.clock.seconds()).is_some()))
    }

    /// Ends a row of failures, if there is one: see [`Store::clear_auth_failures`].
    pub async fn clear_auth_failures(&self, subject: &str) -> Result<(), StoreError> {
        match self.failures(subject).await? {
            Some(_) => Box::pin(self.store.clear_auth_failures(subject)).await,
            None => Ok(()),
        }
    }

    async fn failures(&self, subject: &str) -> Result<Option<Failures>, StoreError> {
        let (remembered, version) = (&self.store.memory.failures, self.moment.failures);
        if let Some(failures) = remembered.get(version, subject) {
            return Ok(failures);
        }
        let failures = Box::pin(self.store.failures(subject)).await?;
        remembered.keep(version, subject.to_owned(), failures);
        Ok(failures)
    }
}

/// What is remembered, or else read now. That there is none is not remembered: strangers ask for anything.
async fn known<K, V, R>(
    remembered: &Remembered<K, Arc<V>>,
    version: i64,
    key: &K,
    read: impl FnOnce() -> R,
) -> Result<Option<Arc<V>>, StoreError>
where
    K: Eq + Hash + Clone,
    R: Future<Output = Result<Option<V>, StoreError>>,
{
    if let Some(value) = remembered.get(version, key) {
        return Ok(Some(value));
    }
    // Apart: a request mostly finds what it needs, and should not carry about the room for a statement.
    let read = Box::pin(read()).await?.map(Arc::new);
    if let Some(value) = &read {
        remembered.keep(version, key.clone(), value.clone());
    }
    Ok(read)
}
