//! Password hashing on blocking threads, with a concurrency limit.

use std::sync::LazyLock;

use clew_iam::password;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::ApiError;

/// Permits for password hashing. Each hash uses 19 MiB and a CPU core, and unauthenticated clients can trigger hashing.
static HASHING_PERMITS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// Hashes a password into a PHC hash string.
pub(crate) async fn hash_password(password: SecretString) -> Result<String, ApiError> {
    run_with_hashing_permit(move || password::hash_password(&password))
        .await?
        .map_err(|error| ApiError::internal_error(&error))
}

/// Verifies a password against a PHC hash string.
/// If `hash` is `None`, the check fails after the same time as for a wrong password.
pub(crate) async fn verify_password(given: SecretString, hash: Option<String>) -> Result<bool, ApiError> {
    run_with_hashing_permit(move || {
        if let Some(hash) = hash {
            return password::verify_password(&given, &hash);
        }
        password::simulate_password_verification(&given);
        false
    })
    .await
}

async fn run_with_hashing_permit<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let _permit = HASHING_PERMITS.acquire().await.map_err(|error| ApiError::internal_error(&error))?;
    spawn_blocking(work).await.map_err(|error| ApiError::internal_error(&error))
}
