//! The policies that reach a user, read and understood.

use std::sync::Arc;

use clew_iam::decision::{Grant, Principal, Via};
use clew_iam::policy::{Policy, system};
use clew_model::UserId;
use clew_store::{Remembered, Store, StoreError, StoredGrant, StoredPolicy, View};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{block_in_place, spawn_blocking};
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

/// From so many bytes of policies on, parsing and evaluation leave the threads that serve connections.
const LARGE: usize = 8 << 10;
/// From so many units of work on, the further evaluations of a request leave the threads that serve connections.
const MUCH_WORK: u64 = 64 << 10;

/// Runs an evaluation of a principal's policies. A large one does not delay other requests: their tasks move to another thread.
pub(crate) fn evaluate<T>(principal: &Principal, evaluation: impl FnOnce() -> T) -> T {
    // A runtime of one thread, as in tests, has no other.
    let has_others = || Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    let is_large = principal.policy_bytes() >= LARGE || principal.budget.spent() >= MUCH_WORK;
    if is_large && has_others() { block_in_place(evaluation) } else { evaluation() }
}

/// The policies that reach a user. If one of them cannot be read, none does: it may be the one that denies.
pub(crate) async fn read(store: &Store, user: &UserId) -> Result<Arc<[Grant]>, StoreError> {
    let (stored, user) = (store.grants_of(user).await?, user.clone());
    let bytes: usize = stored.iter().map(StoredGrant::document_bytes).sum();
    let parse =
        move || stored.into_iter().map(|stored| grant(&user, stored)).collect::<Option<_>>().unwrap_or_default();
    if bytes < LARGE {
        return Ok(parse());
    }
    // A parser that breaks is as a policy that cannot be read.
    Ok(spawn_blocking(parse).await.unwrap_or_default())
}

fn grant(user: &UserId, stored: StoredGrant) -> Option<Grant> {
    let (policy_name, policy) = match stored.policy {
        StoredPolicy::System { name } => {
            let policy = system::find(&name).cloned();
            (name, policy)
        }
        StoredPolicy::Own { name, document } => {
            let policy = Policy::parse_stored(&document).ok().map(Arc::new);
            (name, policy)
        }
    };
    let Some(policy) = policy else {
        error!(user.id = %user, policy = policy_name, "a policy cannot be read: its users may do nothing until it is put again");
        return None;
    };
    Some(Grant { policy, policy_name, via: stored.via_group.map_or(Via::User, Via::Group), project: stored.project })
}
