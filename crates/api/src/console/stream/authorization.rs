//! Authorization of an event stream subscriber. Clew rechecks the authorization periodically while the stream is open.

use std::time::Duration;

use clew_iam::decision::Action;
use clew_store::CachedStoreView;
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;
use tracing::warn;

use crate::SharedState;
use crate::caller::{Caller, CredentialRef, NodePath, TargetNode};
use crate::error::ApiError;

/// Interval for re-evaluating unchanged policies, because policy conditions can depend on the time of day.
const POLICY_REEVALUATION_INTERVAL: Duration = Duration::from_secs(5);

/// Value of the `reason` field in the `end` event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StreamEndReason {
    Shutdown,
    /// The credentials have expired or have been revoked.
    Token,
    Forbidden,
    Gone,
}

#[derive(Debug)]
pub(super) struct StreamAuthorization {
    service: SharedState,
    caller: Caller,
    path: NodePath,
    masked: bool,
    decided_at: Instant,
}

impl StreamAuthorization {
    /// Callers must first check that `caller` may list the sessions of the target node.
    pub(super) fn new(service: SharedState, caller: Caller, path: NodePath, target: &TargetNode) -> Self {
        let masked = target.are_statements_masked_for_caller(&caller);
        Self { service, caller, path, masked, decided_at: Instant::now() }
    }

    pub(super) fn masks_statements(&self) -> bool {
        self.masked
    }

    /// After an internal error, the previous result remains in effect.
    pub(super) async fn recheck_authorization(&mut self) -> Result<(), StreamEndReason> {
        // Expiry is checked separately because it does not change the access version.
        if self.caller.expires_at.is_some_and(|end| end <= Timestamp::now().as_second()) {
            return Err(StreamEndReason::Token);
        }
        match Box::pin(self.reevaluate_permissions()).await {
            Ok(outcome) => outcome,
            Err(refusal) if refusal.status().is_server_error() => {
                warn!(
                    user.id = %self.caller.principal.user_id,
                    "cannot re-evaluate the permissions of a stream subscriber"
                );
                Ok(())
            }
            Err(refusal) if refusal.status() == StatusCode::NOT_FOUND => Err(StreamEndReason::Gone),
            Err(_) => Err(StreamEndReason::Forbidden),
        }
    }

    async fn reevaluate_permissions(&mut self) -> Result<Result<(), StreamEndReason>, ApiError> {
        let view = self.service.store.open_cached_view().await?;
        if view.access_control_version() != self.caller.view.access_control_version() {
            if !self.revalidate_credentials(&view).await? {
                return Ok(Err(StreamEndReason::Token));
            }
            let user = &self.caller.principal.user_id;
            self.caller.principal.grants =
                self.service.policy_cache.get_or_load(&self.service.store, &view, user).await?;
        } else if self.decided_at.elapsed() < POLICY_REEVALUATION_INTERVAL {
            return Ok(Ok(()));
        }
        self.caller.view = view;
        self.caller.principal.budget =
            self.service.limits.create_policy_evaluation_budget(&self.caller.principal.user_id);
        let target = TargetNode::authorize_and_find_node(&self.caller, Action::LIST_PROCESSES, &self.path).await?;
        self.masked = target.are_statements_masked_for_caller(&self.caller);
        self.decided_at = Instant::now();
        Ok(Ok(()))
    }

    /// Updates the caller's administrator status if the credentials are still valid.
    async fn revalidate_credentials(&mut self, view: &CachedStoreView) -> Result<bool, ApiError> {
        let user = match &self.caller.credential_ref {
            CredentialRef::Token(token) => {
                let stored = view.find_token(&token.hash).await?;
                stored.filter(|stored| !stored.revoked).map(|stored| stored.user.clone())
            }
            CredentialRef::Key(id) => {
                let key = view.find_access_key(id).await?;
                let valid_key = key.filter(|key| match &key.temporary {
                    Some(temporary) => !temporary.revoked && temporary.expires_at > Timestamp::now().as_second(),
                    None => key.enabled,
                });
                valid_key.map(|key| key.user.clone())
            }
        };
        let Some(user) = user.filter(|user| user.enabled) else { return Ok(false) };
        self.caller.principal.administrator = user.administrator;
        Ok(true)
    }
}
