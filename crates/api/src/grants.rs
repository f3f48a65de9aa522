//! The policies that reach a user, read and understood.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use clew_iam::decision::{Grant, Via};
use clew_iam::policy::{Policy, system};
use clew_model::UserId;
use clew_store::{Store, StoreError, StoredGrant, StoredPolicy};
use tracing::error;

/// Users whose policies are remembered, at most.
const MOST_USERS: usize = 1024;

/// What was read, as long as nothing changes. Clones remember together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grants(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The store's access version that they belong to.
    version: i64,
    of: HashMap<UserId, Arc<[Grant]>>,
}

impl Grants {
    /// The policies that reach a user now.
    pub(crate) async fn of(&self, store: &Store, user: &UserId) -> Result<Arc<[Grant]>, StoreError> {
        // Asked before the policies are read: what changes in between makes the next request read them again.
        let version = store.access_version().await?;
        if let Some(grants) = self.known(version, user) {
            return Ok(grants);
        }
        let grants = read(store, user).await?;
        self.remember(version, user, &grants);
        Ok(grants)
    }

    fn known(&self, version: i64, user: &UserId) -> Option<Arc<[Grant]>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.of.get(user).filter(|_| known.version == version).cloned()
    }

    fn remember(&self, version: i64, user: &UserId, grants: &Arc<[Grant]>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.version < version || known.of.len() >= MOST_USERS {
            known.of.clear();
            known.version = known.version.max(version);
        }
        if known.version == version {
            known.of.insert(user.clone(), grants.clone());
        }
    }
}

/// The policies that reach a user. If one of them cannot be read, none does: it may be the one that denies.
pub(crate) async fn read(store: &Store, user: &UserId) -> Result<Arc<[Grant]>, StoreError> {
    Ok(store
        .grants_of(user)
        .await?
        .into_iter()
        .map(|stored| grant(user, stored))
        .collect::<Option<_>>()
        .unwrap_or_default())
}

fn grant(user: &UserId, stored: StoredGrant) -> Option<Grant> {
    let (policy_name, policy) = match stored.policy {
        StoredPolicy::System { name } => {
            let policy = system::find(&name).cloned();
            (name, policy)
        }
        StoredPolicy::Own { name, document } => {
            let policy = Policy::parse(&document).ok().map(Arc::new);
            (name, policy)
        }
    };
    let Some(policy) = policy else {
        error!(user.id = %user, policy = policy_name, "a policy cannot be read: its users may do nothing until it is put again");
        return None;
    };
    Some(Grant { policy, policy_name, via: stored.via_group.map_or(Via::User, Via::Group), project: stored.project })
}
