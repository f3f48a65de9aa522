//! The policies that reach a user, read and understood.

use std::sync::Arc;

use clew_iam::decision::{Grant, Via};
use clew_iam::policy::{Policy, system};
use clew_model::UserId;
use clew_store::{Remembered, Store, StoreError, StoredGrant, StoredPolicy, View};
use tracing::error;

/// Users whose policies are remembered, at most.
const MOST_USERS: usize = 1024;

/// What was read, as long as nothing changes. Clones remember together.
#[derive(Debug, Clone)]
pub(crate) struct Grants(Arc<Remembered<UserId, Arc<[Grant]>>>);

impl Default for Grants {
    fn default() -> Self {
        Self(Arc::new(Remembered::at_most(MOST_USERS)))
    }
}

impl Grants {
    /// The policies that reach a user as of a view.
    pub(crate) async fn of(&self, store: &Store, view: &View, user: &UserId) -> Result<Arc<[Grant]>, StoreError> {
        let version = view.access_version();
        if let Some(grants) = self.0.get(version, user) {
            return Ok(grants);
        }
        let grants = read(store, user).await?;
        self.0.keep(version, user.clone(), grants.clone());
        Ok(grants)
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
