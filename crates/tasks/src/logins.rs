//! Logins at watched servers, with the back-off that keeps Clew from locking an account.
//!
//! After a refused login (access denied, account locked, password expired) the next automatic one waits 30 s, then 1 min, 2 min, … up
//! to an hour. The back-off is part of the store: kill tasks, retried collections, live feeds and requests of all processes share it. A login that
//! succeeds ends it, and so do new credentials of the node.

use clew_model::{Failure, FailureKind, Node, NodeId};
use clew_store::{LoginBackoff, LoginCause, LoginPermit, Store, StoreError};
use jiff::Timestamp;
use tracing::warn;

/// Permission for one login at a node.
#[derive(Debug)]
pub struct Login {
    store: Store,
    refusals: u32,
}

impl Login {
    /// Requests a login. Fails with [`FailureKind::AccessDenied`] and without a connection during a back-off.
    pub async fn request(store: &Store, node: &NodeId, cause: LoginCause) -> Result<Self, Failure> {
        let failed = |error: StoreError| {
            Failure::new(FailureKind::StoreFailed, format!("could not look up refused logins of node {node}: {error}"))
        };
        match store.permit_login(node, cause).await.map_err(failed)? {
            LoginPermit::Granted { refusals } => Ok(Self { store: store.clone(), refusals }),
            LoginPermit::Deferred(backoff) => Err(deferred(&backoff)),
        }
    }

    /// Records the outcome of the login: the failure of what was done with it, or nothing where that succeeded.
    pub async fn record(&self, node: &Node, failure: Option<&Failure>) {
        let recorded = match failure {
            Some(failure) if failure.kind == FailureKind::AccessDenied => {
                self.store.record_login_refusal(node, self.refusals, failure).await
            }
            _ if self.refusals > 0 && has_signed_in(failure) => self.store.clear_login_backoff(&node.id).await,
            // The server was not reached, or did not refuse before: nothing has changed.
            _ => Ok(()),
        };
        if let Err(error) = recorded {
            warn!(node.id = %node.id, %error, "could not record the outcome of a login");
        }
    }
}

/// Whether the server accepted the login: the read succeeded, or failed at a statement.
fn has_signed_in(failure: Option<&Failure>) -> bool {
    failure.is_none_or(|failure| failure.kind == FailureKind::MissingPrivilege)
}

/// The failure of a login that is not attempted.
fn deferred(backoff: &LoginBackoff) -> Failure {
    let retry = Timestamp::from_millisecond(backoff.retry_at).map_or_else(|_| String::new(), |at| format!("{at:.0}"));
    let detail = format!(
        "{}; refused {} times in a row, so that Clew attempts the next automatic login at {retry} and the server does not lock the \
         account; fix: repair the account and run clew instance check, or change the credentials with clew instance set-node",
        backoff.reason, backoff.refusals
    );
    Failure::new(FailureKind::AccessDenied, detail)
}
