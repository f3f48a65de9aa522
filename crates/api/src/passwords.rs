//! Hashing of passwords, off the threads that answer, and never many at once.

use std::sync::LazyLock;

use clew_iam::password;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::refusal::Refusal;

/// Each hash takes 19 MiB and a core for a while: strangers must not start many at once.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// The PHC string of a password.
pub(crate) async fn hash(password: SecretString) -> Result<String, Refusal> {
    in_turn(move || password::hash(&password)).await?.map_err(|error| Refusal::internal(&error))
}

/// Whether this is the password of that PHC string. Takes as long where there is none to compare with.
pub(crate) async fn verify(given: SecretString, hash: Option<String>) -> Result<bool, Refusal> {
    in_turn(move || {
        if let Some(hash) = hash {
            return password::verify(&given, &hash);
        }
        password::verify_against_nothing(&given);
        false
    })
    .await
}

async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let _turn = TURNS.acquire().await.map_err(|error| Refusal::internal(&error))?;
    spawn_blocking(work).await.map_err(|error| Refusal::internal(&error))
}
