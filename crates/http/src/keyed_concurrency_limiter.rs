//! Concurrency limit per key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Concurrency limiter: each key has a fixed number of slots, which callers acquire and release.
#[derive(Debug)]
pub struct KeyedConcurrencyLimiter<K: Hash + Eq + Clone> {
    max_slots_per_key: usize,
    held: Mutex<HashMap<K, usize>>,
}

/// Acquired slot. Released on drop.
#[derive(Debug)]
pub struct ConcurrencySlotGuard<K: Hash + Eq + Clone> {
    slots: Arc<KeyedConcurrencyLimiter<K>>,
    key: K,
}

impl<K: Hash + Eq + Clone> KeyedConcurrencyLimiter<K> {
    /// Creates a limiter that permits `limit` concurrent operations per key. If `limit` is 0, the limiter is disabled.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { max_slots_per_key: limit, held: Mutex::default() })
    }

    /// Returns the maximum number of concurrent operations per key, or 0 if the limit is disabled.
    #[must_use]
    pub fn max_slots_per_key(&self) -> usize {
        self.max_slots_per_key
    }

    /// Acquires a slot for `key`. Returns `None` if all slots of `key` are in use.
    pub fn acquire(self: &Arc<Self>, key: K) -> Option<ConcurrencySlotGuard<K>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(key.clone()).or_default();
        if self.max_slots_per_key > 0 && *count >= self.max_slots_per_key {
            return None;
        }
        *count += 1;
        Some(ConcurrencySlotGuard { slots: self.clone(), key })
    }
}

impl<K: Hash + Eq + Clone> Drop for ConcurrencySlotGuard<K> {
    fn drop(&mut self) {
        let mut held = self.slots.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_slots_are_reusable_and_unused_keys_are_removed() {
        let slots = KeyedConcurrencyLimiter::new(2);
        let (first, _second) = (slots.acquire("one").unwrap(), slots.acquire("one").unwrap());
        assert!(slots.acquire("one").is_none());
        let other = slots.acquire("other").unwrap();
        drop(first);
        let _reacquired = slots.acquire("one").unwrap();
        assert!(slots.acquire("one").is_none());
        drop(other);
        assert_eq!(slots.held.lock().unwrap().len(), 1);
    }

    #[test]
    fn zero_disables_the_limit() {
        let slots = KeyedConcurrencyLimiter::new(0);
        let held: Vec<_> = (0..1000).map(|_| slots.acquire(1)).collect();
        assert!(held.iter().all(Option::is_some));
    }
}
