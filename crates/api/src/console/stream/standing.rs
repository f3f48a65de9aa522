//! Whether a viewer may still see what it sees: asked again and again, as a request would be.

use std::time::Duration;

use clew_iam::decision::Action;
use clew_store::View;
use http::StatusCode;
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::warn;

use crate::Service;
use crate::caller::{Caller, Proof, Target};
use crate::refusal::Refusal;

/// Conditions of policies may depend on the time of day: a decision is repeated after this time even if nothing was changed.
const DECISION_INTERVAL: Duration = Duration::from_secs(5);

/// Why no more events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The server stops.
    Shutdown,
    /// What the viewer signed in with is no longer good.
    Token,
    /// They may no longer see it.
    Forbidden,
    /// The node is no longer there.
    Gone,
}

impl End {
    /// As the event has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Token => "token",
            Self::Forbidden => "forbidden",
            Self::Gone => "gone",
        }
    }
}

/// A viewer's credentials and rights.
#[derive(Debug)]
pub(super) struct Standing {
    service: Service,
    caller: Caller,
    path: (String, String, String),
    masked: bool,
    decided: Instant,
}

impl Standing {
    /// Of a caller that may list the sessions of the target.
    pub(super) fn new(service: Service, caller: Caller, path: (String, String, String), target: &Target) -> Self {
        let masked = target.is_masked_by_project_for(&service, &caller);
        Self { service, caller, path, masked, decided: Instant::now() }
    }

    /// Whether literals are kept from the viewer's eyes.
    pub(super) fn is_masked(&self) -> bool {
        self.masked
    }

    /// Asks again. What cannot be found out now is as it was.
    pub(super) async fn check(&mut self) -> Result<(), End> {
        // Expiry of a token or a temporary key changes nothing in the store: no new version announces it.
        if self.caller.expires_at.is_some_and(|end| end <= Timestamp::now().as_second()) {
            return Err(End::Token);
        }
        match Box::pin(self.ask()).await {
            Ok(checked) => checked,
            Err(refusal) if refusal.status().is_server_error() => {
                warn!(user.id = %self.caller.principal.user_id, "could not find out whether somebody may still watch a node");
                Ok(())
            }
            Err(refusal) if refusal.status() == StatusCode::NOT_FOUND => Err(End::Gone),
            Err(_) => Err(End::Forbidden),
        }
    }

    async fn ask(&mut self) -> Result<Result<(), End>, Refusal> {
        let view = self.service.store.view().await?;
        if view.access_version() != self.caller.view.access_version() {
            if !self.is_known(&view).await? {
                return Ok(Err(End::Token));
            }
            let user = &self.caller.principal.user_id;
            self.caller.principal.grants = self.service.grants().of(&self.service.store, &view, user).await?;
        } else if self.decided.elapsed() < DECISION_INTERVAL {
            return Ok(Ok(()));
        }
        self.caller.view = view;
        self.caller.principal.budget = self.service.limits.work_budget(&self.caller.principal.user_id);
        let target = Target::resolve(&self.service, &self.caller, Action::LIST_PROCESSES, &self.path).await?;
        self.masked = target.is_masked_by_project_for(&self.service, &self.caller);
        self.decided = Instant::now();
        Ok(Ok(()))
    }

    /// Whether what the viewer signed in with is still good, and who they are is as it was.
    async fn is_known(&mut self, view: &View) -> Result<bool, Refusal> {
        let user = match &self.caller.proof {
            Proof::Token(token) => {
                let stored = view.token(&token.hash).await?;
                stored.filter(|stored| !stored.revoked).map(|stored| stored.user.clone())
            }
            Proof::Key(id) => {
                let key = view.access_key(id).await?;
                let good = key.filter(|key| match &key.temporary {
                    Some(temporary) => !temporary.revoked && temporary.expires_at > Timestamp::now().as_second(),
                    None => key.enabled,
                });
                good.map(|key| key.user.clone())
            }
        };
        let Some(user) = user.filter(|user| user.enabled) else { return Ok(false) };
        self.caller.principal.administrator = user.administrator;
        Ok(true)
    }
}
