//! A limited number of slots for each of many keys.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// The slots of each key that holds any.
#[derive(Debug)]
pub(crate) struct KeyedSlots<K: Hash + Eq + Clone> {
    /// Of one key; 0 is any number.
    limit: usize,
    held: Mutex<HashMap<K, usize>>,
}

/// A slot, released when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<K: Hash + Eq + Clone> {
    slots: Arc<KeyedSlots<K>>,
    key: K,
}

impl<K: Hash + Eq + Clone> KeyedSlots<K> {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: Mutex::default() })
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// A slot for the key, if it may hold one more.
    pub(crate) fn acquire(self: &Arc<Self>, key: K) -> Option<Slot<K>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(key.clone()).or_default();
        if self.limit > 0 && *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Slot { slots: self.clone(), key })
    }
}

impl<K: Hash + Eq + Clone> Drop for Slot<K> {
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
    fn a_released_slot_can_be_acquired_again_and_unused_keys_are_removed() {
        let slots = KeyedSlots::new(2);
        let (first, _second) = (slots.acquire("one").unwrap(), slots.acquire("one").unwrap());
        assert!(slots.acquire("one").is_none());
        let other = slots.acquire("other").unwrap();
        drop(first);
        let _again = slots.acquire("one").unwrap();
        assert!(slots.acquire("one").is_none());
        drop(other);
        assert_eq!(slots.held.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_limit_of_zero_is_no_limit() {
        let slots = KeyedSlots::new(0);
        let held: Vec<_> = (0..1000).map(|_| slots.acquire(1)).collect();
        assert!(held.iter().all(Option::is_some));
    }
}
