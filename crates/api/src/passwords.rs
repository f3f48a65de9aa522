//! Hashes passwords on blocking threads, with limited concurrency.

use std::sync::LazyLock;

use clew_iam::password;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::ApiError;

/// Clew calculates at most two password hashes at a time, because each calculation uses 19 MiB of memory and a CPU core.
static PASSWORD_HASHING_PERMITS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// Returns the hash in PHC string format.
pub(crate) async fn hash_password(password: SecretString) -> Result<String, ApiError> {
    run_with_hashing_permit(move || password::hash_password(&password)).await?.map_err(ApiError::internal_error)
}

/// If `hash` is `None`, simulates a verification, so that the response time does not reveal which user names exist.
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
    let _permit = PASSWORD_HASHING_PERMITS.acquire().await.map_err(ApiError::internal_error)?;
    spawn_blocking(work).await.map_err(ApiError::internal_error)
}
