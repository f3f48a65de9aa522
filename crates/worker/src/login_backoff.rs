//! Delays logins to monitored servers after refused logins, so that the servers do not lock Clew's account.
//!
//! A login counts as refused if the server denies access, the account is locked, or the password has expired.
//! Each consecutive refused login doubles the delay before the next automatic login, from 30 s to at most 1 hour.
//! The store contains each node's login delay, so that all Clew processes apply the same delay.
//! For an operation that a user requests, Clew can log in again as early as 10 s after a refused login.
//! A successful login or new credentials for the node reset the login delay.

use clew_model::{Failure, FailureKind, Node, NodeId};
use clew_store::{LoginBackoff, LoginPermitDecision, LoginTrigger, Store, StoreError};
use jiff::Timestamp;
use tracing::warn;

/// Permit for one login to a node.
#[derive(Debug)]
pub struct LoginPermit {
    store: Store,
    refusals: u32,
}

impl LoginPermit {
    /// Requests a permit to log in to a node. Fails with [`FailureKind::AccessDenied`] during a login backoff.
    pub async fn request_permit(store: &Store, node: &NodeId, cause: LoginTrigger) -> Result<Self, Failure> {
        let store_failure = |error: StoreError| {
            Failure::new(FailureKind::StoreFailed, format!("could not look up refused logins of node {node}: {error}"))
        };
        match store.instances().request_login_permit(node, cause).await.map_err(store_failure)? {
            LoginPermitDecision::Granted { refusals } => Ok(Self { store: store.clone(), refusals }),
            LoginPermitDecision::Deferred(backoff) => Err(failure_from_login_backoff(&backoff)),
        }
    }

    /// Increases the delay before the next login to the node if `failure` is a refused login.
    /// Clears the node's login backoff if the server accepted the login.
    pub async fn record_login_outcome(&self, node: &Node, failure: Option<&Failure>) {
        let recorded = match failure {
            Some(failure) if failure.kind == FailureKind::AccessDenied => {
                self.store.instances().record_login_refusal(node, self.refusals, failure).await
            }
            _ if self.refusals > 0 && is_login_accepted(failure) => {
                self.store.instances().clear_login_backoff(&node.id).await
            }
            // The login did not reach the server, or no refusal has to be cleared.
            _ => Ok(()),
        };
        if let Err(error) = recorded {
            warn!(node.id = %node.id, %error, "could not record the outcome of a login");
        }
    }
}

/// A [`FailureKind::MissingPrivilege`] failure implies a successful login.
fn is_login_accepted(failure: Option<&Failure>) -> bool {
    failure.is_none_or(|failure| failure.kind == FailureKind::MissingPrivilege)
}

fn failure_from_login_backoff(backoff: &LoginBackoff) -> Failure {
    let retry = Timestamp::from_millisecond(backoff.retry_at).map_or_else(|_| String::new(), |at| format!("{at:.0}"));
    let detail = format!(
        "{}; refused {} times in a row, so Clew delays the next automatic login until {retry} to prevent an account lock; \
         fix: repair the account and run clew instance check, or change the credentials with clew instance set-node",
        backoff.reason, backoff.refusals
    );
    Failure::new(FailureKind::AccessDenied, detail)
}
