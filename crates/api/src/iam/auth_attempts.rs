//! Attempts to authenticate: which failures count together, and the check of a password.
//!
//! Failures of a user from an address from which the user has authenticated before count for that address alone; failures from all other
//! addresses count together. Failed attempts from unknown addresses lock the user for unknown addresses only.

use std::net::IpAddr;
use std::time::Duration;

use clew_model::UserId;
use clew_store::{Reservation, Store, StoreError, User};
use secrecy::SecretString;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::connection::Neighbourhood;
use crate::refusal::Refusal;
use crate::{Service, passwords};

/// How long an attempt waits for the outcome of those that other servers are making for the same subject.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Polling interval.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Outcome of a password check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PasswordCheck {
    Right,
    Wrong,
    /// Too many failures: the password was not compared.
    Locked,
}

/// Checks a password of the user `<domain>/<name>` from an address. Takes as long for a user that does not exist as for a wrong password.
pub(crate) async fn check_password(
    service: &Service,
    name: &str,
    user: Option<&User>,
    peer: Option<IpAddr>,
    password: SecretString,
) -> Result<PasswordCheck, Refusal> {
    let subject = subject(&service.store, format!("user:{name}"), user.map(|user| &user.id), peer).await?;
    let _lock = service.attempt_locks().lock(&subject).await;
    if !reserve(&service.store, &subject).await? {
        return Ok(PasswordCheck::Locked);
    }
    let right = passwords::verify(password, user.map(|user| user.password_hash.clone())).await?;
    let Some(user) = user.filter(|user| right && user.enabled) else {
        service.store.confirm_auth_failure(&subject).await?;
        return Ok(PasswordCheck::Wrong);
    };
    service.store.clear_auth_failures(&subject).await?;
    record_address(&service.store, &user.id, peer).await;
    Ok(PasswordCheck::Right)
}

/// Reserves an attempt before anything is compared. False if the subject is locked.
async fn reserve(store: &Store, subject: &str) -> Result<bool, StoreError> {
    let start = Instant::now();
    loop {
        match store.reserve_attempt(subject).await? {
            Reservation::Granted => return Ok(true),
            Reservation::Busy if start.elapsed() < MAX_WAIT => sleep(POLL_INTERVAL).await,
            Reservation::Busy | Reservation::Locked => return Ok(false),
        }
    }
}

/// The subject that failures from an address count for. No name can be that of another subject: names stand at the end.
pub(crate) async fn subject(
    store: &Store,
    name: String,
    user: Option<&UserId>,
    peer: Option<IpAddr>,
) -> Result<String, StoreError> {
    let (Some(user), Some(peer)) = (user, peer) else { return Ok(name) };
    let address = Neighbourhood::from(peer).to_string();
    let is_known = store.is_known_address(user, &address).await?;
    Ok(if is_known { format!("address:{address} {name}") } else { name })
}

/// Records where a user has authenticated. A failure costs the user a budget of their own there, and no more.
pub(crate) async fn record_address(store: &Store, user: &UserId, peer: Option<IpAddr>) {
    let Some(peer) = peer else { return };
    if let Err(error) = store.record_known_address(user, &Neighbourhood::from(peer).to_string()).await {
        warn!(%error, user.id = %user, "could not record the address of a user");
    }
}
