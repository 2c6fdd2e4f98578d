//! A map of bounded size. Strangers choose the keys of rate limits, so they must not be able to fill the memory.

use std::{collections::HashMap, hash::Hash, mem};

/// The largest number of entries in one map.
pub(super) const CAPACITY: usize = 100_000;

/// A map that forgets the entries written longest ago. It keeps two generations and drops the older one when the
/// younger one is full.
pub(super) struct BoundedMap<K, V> {
    younger: HashMap<K, V>,
    older: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Copy> BoundedMap<K, V> {
    pub(super) fn new() -> Self {
        Self { younger: HashMap::new(), older: HashMap::new() }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.younger.get(key).or_else(|| self.older.get(key)).copied()
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.younger.len() >= CAPACITY / 2 {
            self.older = mem::take(&mut self.younger);
        }
        self.younger.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.younger.remove(key);
        self.older.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_bounded_and_the_newest_entries_stay() {
        let mut map = BoundedMap::new();
        for n in 0..250_000 {
            map.insert(n, n);
        }
        assert!(map.younger.len() + map.older.len() <= CAPACITY);
        assert_eq!(map.get(&249_999), Some(249_999));
        assert_eq!(map.get(&200_001), Some(200_001));
        assert_eq!(map.get(&1), None);
    }
}
