//! The limit of requests per minute. All sessions of a user share one limit, each API key has its own, and requests
//! without good credentials count against their address, which may send half as many.

use super::{RateLimitState, RateLimiter, subscriber};
use crate::{
    auth::Principal,
    domain::{
        id::{KeyId, UserId},
        time::Timestamp,
    },
};
use std::{
    hash::Hash,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// Counts requests by caller or by address.
pub struct RequestLimits {
    callers: Mutex<RateLimiter<Caller>>,
    // Separate limiters have separate memory, so strangers cannot push out the counts of callers.
    addresses: Mutex<RateLimiter<IpAddr>>,
    log_ins: Mutex<RateLimiter<IpAddr>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Caller {
    User(UserId),
    ApiKey(KeyId),
}

/// Which limit of its address a request without credentials counts against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnonymousBucket {
    /// Shared by all other requests.
    #[default]
    General,
    /// Separate, so that a client whose token has expired, or a neighbour behind the same address, does not keep people
    /// from logging in.
    LogIn,
}

impl RequestLimits {
    /// Allows each caller `per_minute` requests, and each address half as many, rounded up, in each bucket. 0 turns all
    /// limits off.
    pub fn new(per_minute: u32) -> Self {
        let per_address = per_minute.div_ceil(2);
        Self {
            callers: Mutex::new(RateLimiter::new(per_minute)),
            addresses: Mutex::new(RateLimiter::new(per_address)),
            log_ins: Mutex::new(RateLimiter::new(per_address)),
        }
    }

    /// Counts a request with good credentials. `None` if there is no limit.
    pub fn count_principal(&self, principal: Principal, now: Timestamp) -> Option<RateLimitState> {
        let caller = match principal {
            Principal::User { id, .. } => Caller::User(id),
            Principal::ApiKey { id, .. } => Caller::ApiKey(id),
            Principal::System => return None,
        };
        count(&self.callers, caller, now)
    }

    /// Counts a request without good credentials. `None` if there is no limit.
    pub fn count_address(&self, address: IpAddr, bucket: AnonymousBucket, now: Timestamp) -> Option<RateLimitState> {
        let limiter = match bucket {
            AnonymousBucket::General => &self.addresses,
            AnonymousBucket::LogIn => &self.log_ins,
        };
        count(limiter, subscriber(address), now)
    }
}

fn count<K: Eq + Hash>(limiter: &Mutex<RateLimiter<K>>, key: K, now: Timestamp) -> Option<RateLimitState> {
    limiter.lock().unwrap_or_else(PoisonError::into_inner).count(key, now)
}

#[cfg(test)]
mod tests {
    use super::{super::bounded_map::CAPACITY, *};
    use crate::domain::id::Identifier;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn user(n: u8) -> Principal {
        Principal::User { id: Identifier::from_bytes([n; 16]), session: None }
    }

    fn remaining_of_an_address(limits: &RequestLimits, bucket: AnonymousBucket) -> Option<u32> {
        limits.count_address("192.0.2.1".parse().unwrap(), bucket, NOW).unwrap().remaining
    }

    #[test]
    fn addresses_have_half_the_limit_rounded_up_and_zero_is_no_limit() {
        assert_eq!(remaining_of_an_address(&RequestLimits::new(4), AnonymousBucket::General), Some(1));
        assert_eq!(remaining_of_an_address(&RequestLimits::new(1), AnonymousBucket::General), Some(0));
        let unlimited = RequestLimits::new(0);
        assert_eq!(unlimited.count_address("192.0.2.1".parse().unwrap(), AnonymousBucket::LogIn, NOW), None);
        assert_eq!(unlimited.count_principal(user(1), NOW), None);
    }

    #[test]
    fn log_ins_are_counted_apart_from_other_anonymous_requests() {
        let limits = RequestLimits::new(2);
        assert_eq!(remaining_of_an_address(&limits, AnonymousBucket::General), Some(0));
        assert_eq!(remaining_of_an_address(&limits, AnonymousBucket::General), None);
        assert_eq!(remaining_of_an_address(&limits, AnonymousBucket::LogIn), Some(0));
        assert_eq!(remaining_of_an_address(&limits, AnonymousBucket::LogIn), None);
    }

    #[test]
    fn callers_are_counted_separately_and_strangers_push_none_out() {
        let limits = RequestLimits::new(2);
        let count = |principal| limits.count_principal(principal, NOW).unwrap().remaining;
        assert_eq!([count(user(1)), count(user(1)), count(user(1)), count(user(2))], [Some(1), Some(0), None, Some(1)]);
        for n in 0..u32::try_from(2 * CAPACITY).unwrap() {
            limits.count_address(IpAddr::V4(n.into()), AnonymousBucket::General, NOW);
        }
        assert_eq!(count(user(1)), None);
    }
}
