//! Checks passwords and counts failed authentication attempts.
//!
//! After a successful authentication, Clew records the client's address for the user.
//! Each recorded address of a user has its own counter of failed attempts. All other addresses share one counter.
//! Failed attempts from other addresses do not lock out sign-ins from a user's recorded addresses.

use std::net::IpAddr;
use std::time::Duration;

use clew_http::ClientSubnet;
use clew_model::{ApiErrorDefinition, UserId};
use clew_store::{AuthAttemptReservation, Store, StoreError, User};
use secrecy::SecretString;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::audit::AuditContext;
use crate::error::ApiError;
use crate::iam::sign_in::UserRef;
use crate::{AppState, passwords};

/// Maximum time to wait for password checks in other server processes that use the same failure counter.
const MAX_WAIT_FOR_CONCURRENT_PASSWORD_CHECKS: Duration = Duration::from_secs(10);
const FAILURE_COUNTER_POLL_INTERVAL: Duration = Duration::from_millis(50);
const PASSWORD_CHECK_RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PasswordCheckOutcome {
    Right,
    Wrong,
    /// The password was not checked, because too many attempts have failed.
    Locked,
}

/// `name` has the format `<domain>/<user>`.
/// The response time does not reveal whether the user exists.
pub(crate) async fn check_password_with_lockout(
    service: &AppState,
    name: &str,
    user: Option<&User>,
    peer: Option<IpAddr>,
    password: SecretString,
) -> Result<PasswordCheckOutcome, ApiError> {
    let counter_name =
        find_auth_failure_counter(&service.store, format!("user:{name}"), user.map(|user| &user.id), peer).await?.name;
    // A check counts as a failed attempt until it succeeds. Without the mutex, concurrent checks of a correct password
    // could therefore reach the limit. The store enforces the limit across all server processes.
    let _lock = service.password_check_mutexes.lock(counter_name.clone()).await;
    match reserve_password_attempt(&service.store, &counter_name).await? {
        AuthAttemptReservation::Granted => {}
        AuthAttemptReservation::Locked => return Ok(PasswordCheckOutcome::Locked),
        AuthAttemptReservation::Busy => {
            return Err(ApiError::rate_limit_exceeded_error(PASSWORD_CHECK_RETRY_AFTER));
        }
    }
    let is_correct = passwords::verify_password(password, user.map(|user| user.password_hash.clone())).await?;
    let Some(user) = user.filter(|user| is_correct && user.enabled) else {
        service.store.lockouts().confirm_auth_attempt_failure(&counter_name).await?;
        return Ok(PasswordCheckOutcome::Wrong);
    };
    service.store.lockouts().clear_auth_failures(&counter_name).await?;
    record_client_address(&service.store, &user.id, peer).await;
    Ok(PasswordCheckOutcome::Right)
}

async fn reserve_password_attempt(store: &Store, counter_name: &str) -> Result<AuthAttemptReservation, StoreError> {
    let start = Instant::now();
    loop {
        match store.lockouts().reserve_auth_attempt(counter_name).await? {
            AuthAttemptReservation::Busy if start.elapsed() < MAX_WAIT_FOR_CONCURRENT_PASSWORD_CHECKS => {
                sleep(FAILURE_COUNTER_POLL_INTERVAL).await;
            }
            reservation => return Ok(reservation),
        }
    }
}

pub(crate) struct AuthFailureCounter {
    pub(crate) name: String,
    pub(crate) is_address_recently_recorded: bool,
}

/// For a known client address, the counter key starts with the address, so that a crafted user name cannot match another counter.
pub(crate) async fn find_auth_failure_counter(
    store: &Store,
    name: String,
    user: Option<&UserId>,
    peer: Option<IpAddr>,
) -> Result<AuthFailureCounter, StoreError> {
    let (Some(user), Some(peer)) = (user, peer) else {
        return Ok(AuthFailureCounter { name, is_address_recently_recorded: false });
    };
    let address = ClientSubnet::from(peer).address();
    if let Some(text) = store.lockouts().find_recently_recorded_client_address(user, address) {
        return Ok(AuthFailureCounter {
            name: build_counter_name_for_address(&text, &name),
            is_address_recently_recorded: true,
        });
    }
    let is_known = store.lockouts().is_known_client_address(user, address).await?;
    let name = if is_known { build_counter_name_for_address(&address.to_string(), &name) } else { name };
    Ok(AuthFailureCounter { name, is_address_recently_recorded: false })
}

fn build_counter_name_for_address(address: &str, name: &str) -> String {
    ["address:", address, " ", name].concat()
}

pub(crate) async fn record_client_address(store: &Store, user: &UserId, peer: Option<IpAddr>) {
    let Some(peer) = peer else { return };
    if let Err(error) = store.lockouts().record_client_address(user, ClientSubnet::from(peer).address()).await {
        warn!(%error, user.id = %user, "cannot record the client address of a user");
    }
}

/// For an unknown user, the error message and the response time are the same as for a wrong password.
/// Repeated failed sign-ins lock a user name even if the user does not exist.
pub(crate) async fn authenticate_by_password(
    service: &AppState,
    audit_context: &AuditContext,
    peer: Option<IpAddr>,
    user_ref: &UserRef,
    password: SecretString,
) -> Result<User, ApiError> {
    let user = match user_ref {
        UserRef::Id(id) => match id.parse() {
            Ok(id) => service.store.identities().find_user(&id).await?,
            Err(_) => None,
        },
        UserRef::Name { domain, user } => service.store.identities().find_user_by_name(domain, user).await?,
    };
    let name = match (&user, user_ref) {
        (Some(user), _) => {
            audit_context.set_domain_id(&user.domain_id);
            audit_context.set_claimed_identity(&user.name);
            audit_context.set_target(&user.name);
            format!("{}/{}", user.domain_name, user.name)
        }
        // Unknown user names are not recorded because they may be passwords entered in the wrong field.
        (None, UserRef::Name { domain, user }) => {
            let domains = service.store.tenants().list_domains().await?;
            for existing in domains.iter().filter(|existing| existing.name == *domain) {
                audit_context.set_domain_id(&existing.id);
            }
            format!("{domain}/{user}")
        }
        (None, UserRef::Id(id)) => id.clone(),
    };
    let check = check_password_with_lockout(service, &name, user.as_ref(), peer, password).await?;
    match (check, user) {
        (PasswordCheckOutcome::Right, Some(user)) => {
            audit_context.set_actor(&user);
            Ok(user)
        }
        (PasswordCheckOutcome::Locked, _) => {
            Err(ApiError::with_detail(ApiErrorDefinition::IAM_LOCKED, "iam-locked-for", []))
        }
        (PasswordCheckOutcome::Right | PasswordCheckOutcome::Wrong, _) => {
            Err(ApiError::new(ApiErrorDefinition::IAM_WRONG_PASSWORD))
        }
    }
}
