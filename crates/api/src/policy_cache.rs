//! Loads users' policies from the store, and caches the parsed policies.

use std::sync::Arc;

use clew_iam::decision::{Grant, GrantSource, Principal};
use clew_iam::policy::{Policy, system_policies};
use clew_model::UserId;
use clew_store::{CachedStoreView, CustomOrBuiltInPolicy, PolicyGrant, Store, StoreError, VersionedCache};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{block_in_place, spawn_blocking};
use tracing::error;

const MAX_CACHED_USERS: usize = 1024;

/// Entries become invalid when identities or policies change.
#[derive(Debug, Clone)]
pub(crate) struct PolicyCache(Arc<VersionedCache<UserId, Arc<[Grant]>>>);

impl Default for PolicyCache {
    fn default() -> Self {
        Self(Arc::new(VersionedCache::with_capacity(MAX_CACHED_USERS)))
    }
}

impl PolicyCache {
    pub(crate) async fn get_or_load(
        &self,
        store: &Store,
        view: &CachedStoreView,
        user: &UserId,
    ) -> Result<Arc<[Grant]>, StoreError> {
        let version = view.access_control_version();
        if let Some(grants) = self.0.get(version, user) {
            return Ok(grants);
        }
        let grants = load_policies(store, user).await?;
        self.0.insert(version, user.clone(), grants.clone());
        Ok(grants)
    }
}

const MIN_POLICY_BYTES_FOR_BLOCKING_EVALUATION: usize = 8 << 10;
const MIN_WORK_UNITS_FOR_BLOCKING_EVALUATION: u64 = 64 << 10;

/// Evaluates large policies in [`block_in_place`] to avoid delaying other requests.
pub(crate) fn run_policy_evaluation<T>(principal: &Principal, evaluation: impl FnOnce() -> T) -> T {
    // The current-thread runtime used in tests does not support `block_in_place`.
    let is_multi_threaded =
        || Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    let is_large = principal.total_policy_bytes() >= MIN_POLICY_BYTES_FOR_BLOCKING_EVALUATION
        || principal.budget.consumed_work_units() >= MIN_WORK_UNITS_FOR_BLOCKING_EVALUATION;
    if is_large && is_multi_threaded() { block_in_place(evaluation) } else { evaluation() }
}

/// Returns an empty list if any policy cannot be parsed, because the invalid policy could contain a Deny statement.
pub(crate) async fn load_policies(store: &Store, user: &UserId) -> Result<Arc<[Grant]>, StoreError> {
    let (stored, user) = (store.policies().list_user_policy_grants(user).await?, user.clone());
    let bytes: usize = stored.iter().map(PolicyGrant::document_len).sum();
    let parse_or_log = move |stored| {
        let log = |error: &InvalidStoredPolicy| {
            error!(
                user.id = %user, policy = error.0,
                "cannot parse a stored policy; its users have no permissions until the policy is replaced"
            );
        };
        parse_policy_grant(stored).inspect_err(log)
    };
    let parse = move || stored.into_iter().map(parse_or_log).collect::<Result<_, _>>().unwrap_or_default();
    if bytes < MIN_POLICY_BYTES_FOR_BLOCKING_EVALUATION {
        return Ok(parse());
    }
    // A parser panic is treated like an invalid policy.
    Ok(spawn_blocking(parse).await.unwrap_or_default())
}

/// Error for a granted policy that is unknown or has an invalid document. Contains the name of the policy.
#[derive(Debug, thiserror::Error)]
#[error("the stored policy {0} is invalid")]
pub struct InvalidStoredPolicy(pub String);

/// Converts a stored policy grant to a `Grant`. Fails if the system policy is unknown or the policy document is invalid.
pub fn parse_policy_grant(stored: PolicyGrant) -> Result<Grant, InvalidStoredPolicy> {
    let (policy_name, policy) = match stored.policy {
        CustomOrBuiltInPolicy::System { name } => {
            let policy = system_policies::find_system_policy(&name).cloned();
            (name, policy)
        }
        CustomOrBuiltInPolicy::Custom { name, document } => {
            let policy = Policy::parse_stored_document(&document).ok().map(Arc::new);
            (name, policy)
        }
    };
    let Some(policy) = policy else { return Err(InvalidStoredPolicy(policy_name)) };
    Ok(Grant {
        policy,
        policy_name,
        via: stored.via_group.map_or(GrantSource::User, GrantSource::Group),
        project: stored.project,
    })
}
