//! Mutexes that allow only one password check per failure counter at a time within a server process.
//!
//! A password check counts as a failed attempt until it succeeds.
//! Without the mutexes, unfinished checks of correct passwords could therefore reach the limit on failed attempts.
//! The store enforces the limit across all server processes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as SubjectLock, OwnedMutexGuard};

#[derive(Debug, Default)]
pub(crate) struct PasswordCheckMutexes(Mutex<HashMap<String, Arc<SubjectLock<()>>>>);

impl PasswordCheckMutexes {
    pub(crate) async fn acquire_password_check_mutex(&self, subject: &str) -> OwnedMutexGuard<()> {
        let subject_lock = {
            let mut subjects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            subjects.retain(|_, subject_lock| Arc::strong_count(subject_lock) > 1);
            subjects.entry(subject.to_owned()).or_default().clone()
        };
        subject_lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn checks_of_a_subject_are_serialized_and_unused_locks_are_removed() {
        let locks = PasswordCheckMutexes::default();
        let first = locks.acquire_password_check_mutex("one").await;
        assert!(locks.acquire_password_check_mutex("one").now_or_never().is_none());
        let other = locks.acquire_password_check_mutex("other").now_or_never();
        assert!(other.is_some());
        drop(first);
        let again = locks.acquire_password_check_mutex("one").now_or_never();
        assert!(again.is_some());
        drop((other, again));
        let _last = locks.acquire_password_check_mutex("last").await;
        assert_eq!(locks.0.lock().unwrap().keys().collect::<Vec<_>>(), ["last"]);
    }
}
