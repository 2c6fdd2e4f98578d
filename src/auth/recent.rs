//! Memory for what strangers do: bounded, whatever they send, and keyed by what one subscriber has.

use crate::domain::time::Timestamp;
use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// How many entries one map remembers.
pub(super) const REMEMBERED: usize = 100_000;

/// A map that forgets what was put longest ago: of two generations, the older goes when the younger is full.
pub(super) struct Recent<K, V> {
    younger: HashMap<K, V>,
    older: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Copy> Recent<K, V> {
    pub(super) fn new() -> Self {
        Self { younger: HashMap::new(), older: HashMap::new() }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.younger.get(key).or_else(|| self.older.get(key)).copied()
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        if self.younger.len() >= REMEMBERED / 2 {
            self.older = mem::take(&mut self.younger);
        }
        self.younger.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.younger.remove(key);
        self.older.remove(key);
    }
}

/// What was counted since the first in a span of time.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) ends: Timestamp,
    pub(super) count: u32,
}

impl Window {
    /// The one that goes on at `now`: the last one, unless it is over, or a fresh one of this length.
    pub(super) fn at(now: Timestamp, length: Duration, last: Option<Self>) -> Self {
        let fresh = Self { ends: now.plus(length), count: 0 };
        // One that seems longer than it is was begun before the clock was set back.
        last.filter(|window| now < window.ends && window.ends <= fresh.ends).unwrap_or(fresh)
    }
}

/// What one subscriber has: an IPv4 address, however it is written, or 64 bits of an IPv6 address.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_keeps_the_newest() {
        let mut recent = Recent::new();
        for n in 0..250_000 {
            recent.put(n, n);
        }
        assert!(recent.younger.len() + recent.older.len() <= REMEMBERED);
        assert_eq!(recent.get(&249_999), Some(249_999));
        assert_eq!(recent.get(&200_001), Some(200_001));
        assert_eq!(recent.get(&1), None);
    }
}
