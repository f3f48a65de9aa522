//! Cache for values that become invalid when the data from which they are derived changes.

use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicI64, Ordering};

use quick_cache::Equivalent;
use quick_cache::sync::Cache;

/// Cache with a fixed capacity. Each cached value is valid for only one version of the data.
///
/// If the cache is full, inserting a value evicts a rarely used value.
/// When a value with a newer version is inserted, the cache removes all older values, which may contain outdated secrets.
pub struct VersionedCache<K, V> {
    values: Cache<K, (i64, V)>,
    newest_version: AtomicI64,
}

impl<K: Eq + Hash, V: Clone> VersionedCache<K, V> {
    /// Creates an empty cache with the given capacity.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { values: Cache::new(capacity), newest_version: AtomicI64::new(i64::MIN) }
    }

    /// Returns the value for `key` if the value was inserted with the same version.
    pub fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, version: i64, key: &Q) -> Option<V> {
        let (inserted_version, value) = self.values.get(key)?;
        (inserted_version == version).then_some(value)
    }

    /// Inserts a value. Callers must read `version` before the value, so that the cache never returns a stale value.
    pub fn insert(&self, version: i64, key: K, value: V) {
        let newest_version = self.newest_version.fetch_max(version, Ordering::Relaxed);
        if newest_version < version {
            self.values.clear();
        }
        if newest_version <= version {
            self.values.insert(key, (version, value));
        }
    }

    /// Removes a value.
    pub fn remove<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) {
        self.values.remove(key);
    }
}

// The debug output omits the values, which may be secrets.
impl<K: Eq + Hash, V: Clone> fmt::Debug for VersionedCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VersionedCache").field("len", &self.values.len()).finish_non_exhaustive()
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
        assert_eq!(cache.values.len(), 1, "values of older versions are removed");
        cache.insert(1, "a", 10);
        assert_eq!((cache.get(1, "a"), cache.get(2, "a")), (None, None), "a value of an older version is not inserted");
        cache.remove("b");
        assert_eq!(cache.get(2, "b"), None);
    }

    #[test]
    fn capacity_is_never_exceeded() {
        let cache = VersionedCache::with_capacity(100);
        for key in 0..1000 {
            cache.insert(1, key, key);
            assert_eq!(cache.get(1, &key), Some(key));
            assert!(cache.values.len() <= 100);
        }
    }
}
