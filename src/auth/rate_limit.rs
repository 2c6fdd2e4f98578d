//! Rate limits: how many requests a caller may send, how many log-ins an address may fail, and how long an account
//! waits between failed log-ins. All of it is in memory, bounded, and starts anew with the process.
//!
//! The limiter is written here because clients are told a fixed window (`r=599;t=60`), while the `governor` crate
//! implements GCRA, which has no window, and does not bound the number of its keys.

mod bounded_map;
mod login_delays;
mod requests;
mod subscriber;

pub use login_delays::LoginDelays;
pub use requests::{AnonymousBucket, RequestLimits};
pub use subscriber::subscriber;

use crate::domain::time::Timestamp;
use bounded_map::BoundedMap;
use std::{hash::Hash, time::Duration};

/// The length of every window.
pub const WINDOW: Duration = Duration::from_mins(1);

/// The state of a rate limit after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitState {
    /// Requests allowed per window.
    pub limit: u32,
    /// Requests left in the current window, or `None` if this request exceeded the limit.
    pub remaining: Option<u32>,
    /// Time until the window ends.
    pub resets_in: Duration,
}

/// Counts requests per key. The window of a key starts with its first request.
struct RateLimiter<K> {
    limit: u32,
    windows: BoundedMap<K, Window>,
}

#[derive(Clone, Copy)]
struct Window {
    ends_at: Timestamp,
    count: u32,
}

impl<K: Eq + Hash> RateLimiter<K> {
    /// Allows each key `limit` requests per window. 0 turns the limit off.
    fn new(limit: u32) -> Self {
        Self { limit, windows: BoundedMap::new() }
    }

    /// Counts a request, unless it exceeds the limit. `None` if the limit is off.
    fn count(&mut self, key: K, now: Timestamp) -> Option<RateLimitState> {
        let window = self.window_with_one_more(&key, now);
        let state = self.state(window, now)?;
        if state.remaining.is_some() {
            self.windows.insert(key, window);
        }
        Some(state)
    }

    /// What [`Self::count`] would return, without counting anything.
    fn peek(&self, key: &K, now: Timestamp) -> Option<RateLimitState> {
        self.state(self.window_with_one_more(key, now), now)
    }

    fn window_with_one_more(&self, key: &K, now: Timestamp) -> Window {
        let fresh = Window { ends_at: now.plus(WINDOW), count: 0 };
        // A window that ends later than a fresh one was started before the clock was set back.
        let is_current = |window: &Window| now < window.ends_at && window.ends_at <= fresh.ends_at;
        let window = self.windows.get(key).filter(is_current).unwrap_or(fresh);
        Window { count: window.count.saturating_add(1), ..window }
    }

    fn state(&self, window: Window, now: Timestamp) -> Option<RateLimitState> {
        let remaining = self.limit.checked_sub(window.count);
        let resets_in = time_until(window.ends_at, now);
        (self.limit > 0).then_some(RateLimitState { limit: self.limit, remaining, resets_in })
    }
}

/// The time from `now` until `end`; zero if `end` is in the past.
fn time_until(end: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(end.millis().saturating_sub(now.millis())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000).plus(Duration::from_secs(seconds))
    }

    fn count(limiter: &mut RateLimiter<u8>, seconds: u64) -> (Option<u32>, u64) {
        let state = limiter.count(1, at(seconds)).unwrap();
        (state.remaining, state.resets_in.as_secs())
    }

    #[test]
    fn the_window_starts_with_the_first_request() {
        let mut limiter = RateLimiter::new(2);
        assert_eq!(count(&mut limiter, 0), (Some(1), 60));
        assert_eq!(count(&mut limiter, 20), (Some(0), 40));
        assert_eq!(count(&mut limiter, 59), (None, 1));
        assert_eq!(count(&mut limiter, 60), (Some(1), 60));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut limiter = RateLimiter::new(1);
        assert_eq!(count(&mut limiter, 100_000), (Some(0), 60));
        assert_eq!(count(&mut limiter, 0), (Some(0), 60));
        assert_eq!(count(&mut limiter, 1), (None, 59));
    }

    #[test]
    fn keys_are_counted_separately() {
        let mut limiter = RateLimiter::new(1);
        assert_eq!(limiter.count(1, at(0)).unwrap().remaining, Some(0));
        assert_eq!(limiter.count(2, at(0)).unwrap().remaining, Some(0));
        assert_eq!(limiter.count(1, at(0)).unwrap().remaining, None);
    }

    #[test]
    fn a_limit_of_zero_is_no_limit() {
        let mut limiter = RateLimiter::new(0);
        assert_eq!((limiter.count(1, at(0)), limiter.peek(&1, at(0))), (None, None));
    }

    #[test]
    fn peeking_counts_nothing() {
        let mut limiter = RateLimiter::new(1);
        for _ in 0..3 {
            assert_eq!(limiter.peek(&1, at(0)).unwrap().remaining, Some(0));
        }
        assert_eq!(limiter.count(1, at(0)).unwrap().remaining, Some(0));
        assert_eq!(limiter.peek(&1, at(0)).unwrap().remaining, None);
    }
}
