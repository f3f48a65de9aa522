//! Serialises password checks per subject within a server, so that concurrent successful checks consume no budget. The limit on attempts
//! itself is stored, for all servers together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as SubjectLock, OwnedMutexGuard};

/// Subjects with a check under way.
#[derive(Debug, Default)]
pub(crate) struct AttemptLocks(Mutex<HashMap<String, Arc<SubjectLock<()>>>>);

impl AttemptLocks {
    /// Waits until no other check of the subject is under way. Others wait as long as the guard lives.
    pub(crate) async fn lock(&self, subject: &str) -> OwnedMutexGuard<()> {
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
    async fn checks_of_a_subject_run_one_at_a_time_and_leave_nothing() {
        let locks = AttemptLocks::default();
        let first = locks.lock("one").await;
        assert!(locks.lock("one").now_or_never().is_none());
        let other = locks.lock("other").now_or_never();
        assert!(other.is_some());
        drop(first);
        let again = locks.lock("one").now_or_never();
        assert!(again.is_some());
        drop((other, again));
        let _last = locks.lock("last").await;
        assert_eq!(locks.0.lock().unwrap().keys().collect::<Vec<_>>(), ["last"]);
    }
}
