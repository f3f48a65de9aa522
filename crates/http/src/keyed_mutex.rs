//! Mutex per key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Set of mutexes, one for each key. Unused mutexes are removed.
#[derive(Debug)]
pub struct KeyedMutex<K: Hash + Eq>(Mutex<HashMap<K, Arc<AsyncMutex<()>>>>);

impl<K: Hash + Eq> Default for KeyedMutex<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq> KeyedMutex<K> {
    /// Locks the mutex for `key`. Waits while another task holds the mutex.
    pub async fn lock(&self, key: K) -> OwnedMutexGuard<()> {
        let mutex = {
            let mut mutexes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            mutexes.retain(|_, mutex| Arc::strong_count(mutex) > 1);
            mutexes.entry(key).or_default().clone()
        };
        mutex.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn tasks_of_a_key_are_serialized_and_unused_mutexes_are_removed() {
        let locks = KeyedMutex::default();
        let first = locks.lock("one").await;
        assert!(locks.lock("one").now_or_never().is_none());
        let other = locks.lock("other").now_or_never();
        assert!(other.is_some());
        drop(first);
        let again = locks.lock("one").now_or_never();
        assert!(again.is_some());
        drop((other, again));
        let _last = locks.lock("last").await;
        assert_eq!(locks.0.lock().unwrap().keys().collect::<Vec<_>>(), [&"last"]);
    }
}
