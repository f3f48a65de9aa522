//! What was read before, as long as it is still true.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values that were read at one version of what they were read from. Those of an older version are forgotten, and all of them when
/// there would be too many.
#[derive(Debug)]
pub struct Remembered<K, V> {
    most: usize,
    known: Mutex<Known<K, V>>,
}

#[derive(Debug)]
struct Known<K, V> {
    version: i64,
    values: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// At most so many values.
    #[must_use]
    pub fn at_most(most: usize) -> Self {
        Self { most, known: Mutex::new(Known { version: i64::MIN, values: HashMap::new() }) }
    }

    /// A value that is still true at this version.
    pub fn get<Q>(&self, version: i64, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let known = self.lock();
        known.values.get(key).filter(|_| known.version == version).cloned()
    }

    /// Keeps a value that was read after this was found to be the version.
    pub fn keep(&self, version: i64, key: K, value: V) {
        let mut known = self.lock();
        if known.version < version || known.values.len() >= self.most {
            known.values.clear();
            known.version = known.version.max(version);
        }
        if known.version == version {
            known.values.insert(key, value);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known<K, V>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_at_its_version_only() {
        let remembered = Remembered::at_most(10);
        remembered.keep(1, "a", 10);
        assert_eq!((remembered.get(1, "a"), remembered.get(1, "b")), (Some(10), None));
        assert_eq!((remembered.get(0, "a"), remembered.get(2, "a")), (None, None));
        remembered.keep(2, "b", 20);
        assert_eq!((remembered.get(2, "a"), remembered.get(1, "a"), remembered.get(2, "b")), (None, None, Some(20)));
        remembered.keep(1, "a", 10);
        assert_eq!((remembered.get(1, "a"), remembered.get(2, "a")), (None, None), "who read before knows less");
        assert_eq!(remembered.get(2, "b"), Some(20));
    }

    #[test]
    fn there_are_never_too_many() {
        let remembered = Remembered::at_most(100);
        for key in 0..1000 {
            remembered.keep(1, key, key);
            assert_eq!(remembered.get(1, &key), Some(key));
            assert!(remembered.lock().values.len() <= 100);
        }
    }
}
