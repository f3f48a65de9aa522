//! Cache for derived values, which become invalid when the version of their source data changes.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Cache with a fixed capacity, whose values all have the same version.
/// An insertion removes all other values if the inserted value has a newer version or the cache is full.
#[derive(Debug)]
pub struct VersionedCache<K, V> {
    capacity: usize,
    entries: Mutex<VersionedValues<K, V>>,
}

#[derive(Debug)]
struct VersionedValues<K, V> {
    version: i64,
    values: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> VersionedCache<K, V> {
    /// Creates an empty cache with the given capacity.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::new(VersionedValues { version: i64::MIN, values: HashMap::new() }) }
    }

    /// Returns the value for a key if the value was inserted with the version `version`.
    pub fn get<Q>(&self, version: i64, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let entries = self.lock();
        entries.values.get(key).filter(|_| entries.version == version).cloned()
    }

    /// Inserts a value. The caller must read the version before it reads the value.
    pub fn insert(&self, version: i64, key: K, value: V) {
        let mut entries = self.lock();
        if entries.version < version || entries.values.len() >= self.capacity {
            entries.values.clear();
            entries.version = entries.version.max(version);
        }
        if entries.version == version {
            entries.values.insert(key, value);
        }
    }

    /// Removes a value.
    pub fn remove<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.lock().values.remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, VersionedValues<K, V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_valid_at_its_version_only() {
        let cache = VersionedCache::with_capacity(10);
        cache.insert(1, "a", 10);
        assert_eq!((cache.get(1, "a"), cache.get(1, "b")), (Some(10), None));
        assert_eq!((cache.get(0, "a"), cache.get(2, "a")), (None, None));
        cache.insert(2, "b", 20);
        assert_eq!((cache.get(2, "a"), cache.get(1, "a"), cache.get(2, "b")), (None, None, Some(20)));
        cache.insert(1, "a", 10);
        assert_eq!((cache.get(1, "a"), cache.get(2, "a")), (None, None), "a value of an older version is not inserted");
        assert_eq!(cache.get(2, "b"), Some(20));
    }

    #[test]
    fn capacity_is_never_exceeded() {
        let cache = VersionedCache::with_capacity(100);
        for key in 0..1000 {
            cache.insert(1, key, key);
            assert_eq!(cache.get(1, &key), Some(key));
            assert!(cache.lock().values.len() <= 100);
        }
    }
}
