//! How many requests a caller may make: so many a minute, counted from the first of each minute. A user, however many
//! sessions they have, and a program count alone; whoever shows no credentials counts with their address and may make half
//! as many. It is in memory, bounded, and forgotten at a restart.

use super::{
    actor::Principal,
    recent::{Recent, Window, network},
};
use crate::domain::{
    id::{KeyId, UserId},
    time::Timestamp,
};
use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// What the allowance is for.
pub const WINDOW: Duration = Duration::from_mins(1);

/// Who has made how many requests.
pub struct Allowances {
    /// Requests that a caller with credentials has a minute; 0 is no limit.
    per_minute: u32,
    state: Mutex<State>,
}

/// Strangers have a memory of their own, so that none of them can push out what is known of others.
struct State {
    callers: Recent<Caller, Window>,
    addresses: Recent<IpAddr, Window>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Caller {
    User(UserId),
    Program(KeyId),
}

/// Where a caller stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Requests that they may make in a window.
    pub allowed: u32,
    /// Requests that are left in this one; none if this request was one too many.
    pub left: Option<u32>,
    /// When the next window begins.
    pub renewed_in: Duration,
}

impl Allowances {
    /// Allows `per_minute` requests to each caller; 0 is no limit.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, state: Mutex::new(State { callers: Recent::new(), addresses: Recent::new() }) }
    }

    /// Counts a request of somebody with credentials; nothing where there is no limit.
    pub fn count_principal(&self, principal: Principal, now: Timestamp) -> Option<Standing> {
        let caller = match principal {
            Principal::User { id, .. } => Caller::User(id),
            Principal::ApiKey { id, .. } => Caller::Program(id),
            Principal::System => return None,
        };
        self.count(|state| &mut state.callers, caller, self.per_minute, now)
    }

    /// Counts a request of somebody without; nothing where there is no limit.
    pub fn count_address(&self, address: IpAddr, now: Timestamp) -> Option<Standing> {
        self.count(|state| &mut state.addresses, network(address), self.per_minute.div_ceil(2), now)
    }

    fn count<K: Eq + std::hash::Hash>(
        &self,
        memory: fn(&mut State) -> &mut Recent<K, Window>,
        key: K,
        allowed: u32,
        now: Timestamp,
    ) -> Option<Standing> {
        if allowed == 0 {
            return None;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memory(&mut state);
        let window = Window::at(now, WINDOW, memory.get(&key));
        let left = allowed.checked_sub(window.count + 1);
        if left.is_some() {
            memory.put(key, Window { count: window.count + 1, ..window });
        }
        let millis = u64::try_from(window.ends.millis() - now.millis()).unwrap_or_default();
        Some(Standing { allowed, left, renewed_in: Duration::from_millis(millis) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recent::REMEMBERED;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000).plus(Duration::from_secs(seconds))
    }

    fn home() -> IpAddr {
        "192.0.2.1".parse().unwrap()
    }

    fn left(allowances: &Allowances, seconds: u64) -> (Option<u32>, u64) {
        let standing = allowances.count_address(home(), at(seconds)).unwrap();
        (standing.left, standing.renewed_in.as_secs())
    }

    #[test]
    fn the_minute_begins_with_the_first_request() {
        let allowances = Allowances::new(4);
        assert_eq!(left(&allowances, 0), (Some(1), 60));
        assert_eq!(left(&allowances, 20), (Some(0), 40));
        assert_eq!(left(&allowances, 59), (None, 1));
        assert_eq!(left(&allowances, 60), (Some(1), 60));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out() {
        let allowances = Allowances::new(2);
        assert_eq!(left(&allowances, 100_000), (Some(0), 60));
        assert_eq!(left(&allowances, 0), (Some(0), 60));
        assert_eq!(left(&allowances, 1), (None, 59));
    }

    #[test]
    fn an_odd_allowance_leaves_strangers_the_larger_half_and_zero_is_no_limit() {
        assert_eq!(left(&Allowances::new(1), 0), (Some(0), 60));
        assert_eq!(Allowances::new(0).count_address(home(), at(0)), None);
    }

    #[test]
    fn callers_count_apart_and_strangers_push_nobody_out() {
        let allowances = Allowances::new(2);
        let [ada, bob] = [1, 2].map(|n| Caller::User(crate::domain::id::Identifier::from_bytes([n; 16])));
        let count = |caller| allowances.count(|state| &mut state.callers, caller, 2, at(0)).unwrap().left;
        assert_eq!((count(ada), count(ada), count(ada), count(bob)), (Some(1), Some(0), None, Some(1)));
        for n in 0..u32::try_from(2 * REMEMBERED).unwrap() {
            allowances.count_address(IpAddr::V4(n.into()), at(0));
        }
        assert_eq!(count(ada), None);
    }
}
