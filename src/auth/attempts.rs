//! How often a log-in may be tried: a growing delay for each account, and a limit for each network address.
//!
//! Accounts are known here by the e-mail address that was typed, whether anybody has it or not, so that an unknown one
//! behaves as a known one. A stranger can delay an account's log-ins but never stop them: the delay has an end, trying
//! again within it does not lengthen it, and at an address from which the account was signed in to before its failures
//! are counted apart. All of it is in memory, bounded, and forgotten at a restart.

use super::{
    recent::{Recent, Window, network},
    secret::Digest,
};
use crate::{
    domain::time::Timestamp,
    error::{Error, Problem, Result, problem},
};
use sha2::{Digest as _, Sha256};
use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The failure in a row that begins the delays.
const FIRST_DELAYED: usize = 5;
/// Seconds to wait after that failure, the next, and so on; after the last of these it grows no more.
const DELAYS_SECONDS: [u64; 9] = [1, 3, 5, 10, 30, 60, 120, 300, 900];
/// Over which failures of one address are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// What was tried, and how it went.
pub struct Attempts {
    /// Failed log-ins that one address has a minute; 0 is no limit.
    per_minute: u32,
    state: Mutex<State>,
}

struct State {
    accounts: Recent<Digest, Failures>,
    addresses: Recent<IpAddr, Window>,
    /// Pairs of account and address that a log-in has succeeded with.
    familiar: Recent<Digest, ()>,
}

/// Failures in a row.
#[derive(Clone, Copy)]
struct Failures {
    count: usize,
    delayed_until: Timestamp,
}

impl Attempts {
    /// Allows `per_minute` failed log-ins to each address; 0 is no limit.
    pub fn new(per_minute: u32) -> Self {
        let state = State { accounts: Recent::new(), addresses: Recent::new(), familiar: Recent::new() };
        Self { per_minute, state: Mutex::new(state) }
    }

    /// Whether a log-in may be tried now; to be asked before the password is looked at.
    ///
    /// # Errors
    /// `login_delayed` for the account, `rate_limited` for the address; both with the time to wait.
    pub fn check(&self, email: &str, address: IpAddr, now: Timestamp) -> Result<()> {
        self.lock().check(self.per_minute, &Subject::new(email, address), now)
    }

    /// The log-in failed, for whatever reason. What the caller is told is the same for each: `invalid_credentials`, or
    /// a refusal as by [`Self::check`] when other attempts have failed while this one was under way. That one is not
    /// counted: so many attempts at once gain nothing over one after another.
    pub fn failed(&self, email: &str, address: IpAddr, now: Timestamp) -> Error {
        let subject = Subject::new(email, address);
        let mut state = self.lock();
        if let Err(refusal) = state.check(self.per_minute, &subject, now) {
            return refusal;
        }
        state.count_failure(&subject, now);
        Error::new(&problem::INVALID_CREDENTIALS)
    }

    /// The log-in would succeed: the account's failures are forgotten.
    ///
    /// # Errors
    /// Those of [`Self::check`], when other attempts have failed while this one was under way. Then the log-in must not
    /// succeed: a right guess among many at once would tell itself apart from the wrong ones.
    pub fn succeeded(&self, email: &str, address: IpAddr, now: Timestamp) -> Result<()> {
        let subject = Subject::new(email, address);
        let mut state = self.lock();
        state.check(self.per_minute, &subject, now)?;
        let key = state.account_key(&subject);
        state.accounts.remove(&key);
        state.familiar.put(subject.pair, ());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self, per_minute: u32, subject: &Subject, now: Timestamp) -> Result<()> {
        if let Some(failures) = self.accounts.get(&self.account_key(subject))
            && now < failures.delayed_until
        {
            return Err(refusal(&problem::LOGIN_DELAYED, failures.delayed_until, now));
        }
        let window = Window::at(now, WINDOW, self.addresses.get(&subject.network));
        if per_minute > 0 && window.count >= per_minute {
            return Err(refusal(&problem::RATE_LIMITED, window.ends, now));
        }
        Ok(())
    }

    fn count_failure(&mut self, subject: &Subject, now: Timestamp) {
        let key = self.account_key(subject);
        let count = self.accounts.get(&key).map_or(0, |failures| failures.count) + 1;
        self.accounts.put(key, Failures { count, delayed_until: now.plus(delay_after(count)) });

        let window = Window::at(now, WINDOW, self.addresses.get(&subject.network));
        self.addresses.put(subject.network, Window { count: window.count.saturating_add(1), ..window });
    }

    /// Under what the failures of an account are counted: at an address that it knows, apart from all strangers.
    fn account_key(&self, subject: &Subject) -> Digest {
        if self.familiar.get(&subject.pair).is_some() { subject.pair } else { subject.account }
    }
}

fn refusal(problem: &'static Problem, until: Timestamp, now: Timestamp) -> Error {
    let millis = u64::try_from(until.millis().saturating_sub(now.millis())).unwrap_or_default();
    Error::new(problem).retry_after(Duration::from_millis(millis))
}

/// How long to wait after the `count`th failure in a row.
fn delay_after(count: usize) -> Duration {
    let Some(step) = count.checked_sub(FIRST_DELAYED) else { return Duration::ZERO };
    Duration::from_secs(DELAYS_SECONDS[step.min(DELAYS_SECONDS.len() - 1)])
}

/// Whose log-in is tried from where. Digests bound the memory, whatever was typed.
struct Subject {
    account: Digest,
    pair: Digest,
    network: IpAddr,
}

impl Subject {
    fn new(email: &str, address: IpAddr) -> Self {
        let network = network(address);
        let account: Digest = Sha256::digest(email.trim().to_lowercase().as_bytes()).into();
        let pair = Sha256::new().chain_update(account).chain_update(network.to_string()).finalize().into();
        Self { account, pair, network }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "ada@example.com";
    const HOME: &str = "192.0.2.1";
    const STRANGER: &str = "198.51.100.7";

    /// A hand on the clock, in seconds.
    struct Desk {
        attempts: Attempts,
        now: Timestamp,
    }

    impl Desk {
        fn new(per_minute: u32) -> Self {
            Self { attempts: Attempts::new(per_minute), now: Timestamp::from_millis(1_000_000) }
        }

        fn wait(&mut self, seconds: u64) {
            self.now = self.now.plus(Duration::from_secs(seconds));
        }

        /// Seconds to wait, 0 if a log-in may be tried.
        fn delay(&self, email: &str, address: &str) -> u64 {
            match self.attempts.check(email, address.parse().unwrap(), self.now) {
                Ok(()) => 0,
                Err(error) => error.wait().unwrap().as_secs(),
            }
        }

        fn fails(&self, email: &str, address: &str) -> &'static str {
            self.attempts.failed(email, address.parse().unwrap(), self.now).problem().code
        }

        fn succeeds(&self, email: &str, address: &str) -> Result<()> {
            self.attempts.succeeded(email, address.parse().unwrap(), self.now)
        }
    }

    #[test]
    fn the_delay_grows_after_the_fifth_failure_and_has_an_end() {
        let mut desk = Desk::new(0);
        let mut delays = vec![];
        for _ in 0..15 {
            assert_eq!(desk.fails(ADA, HOME), "invalid_credentials");
            delays.push(desk.delay(ADA, HOME));
            desk.wait(delays[delays.len() - 1]);
        }
        assert_eq!(delays, [0, 0, 0, 0, 1, 3, 5, 10, 30, 60, 120, 300, 900, 900, 900]);
    }

    #[test]
    fn trying_within_a_delay_does_not_lengthen_it() {
        let mut desk = Desk::new(0);
        for _ in 0..8 {
            desk.fails(ADA, HOME);
            desk.wait(desk.delay(ADA, HOME));
        }
        desk.fails(ADA, HOME);
        assert_eq!(desk.delay(ADA, HOME), 30);
        desk.wait(10);
        for _ in 0..100 {
            assert_eq!(desk.fails(ADA, HOME), "login_delayed");
        }
        assert_eq!(desk.delay(ADA, HOME), 20);
        assert_eq!(desk.delay("bob@example.com", HOME), 0, "another account");
    }

    #[test]
    fn success_begins_anew() {
        let desk = Desk::new(0);
        for _ in 0..4 {
            desk.fails(ADA, HOME);
        }
        desk.succeeds(ADA, HOME).unwrap();
        for _ in 0..4 {
            desk.fails(ADA, HOME);
        }
        assert_eq!(desk.delay(ADA, HOME), 0);
    }

    #[test]
    fn an_account_is_the_same_however_it_is_typed() {
        let desk = Desk::new(0);
        for email in ["ada@example.com", "ADA@example.com", " Ada@Example.com ", "ada@EXAMPLE.com", ADA] {
            desk.fails(email, HOME);
        }
        assert_eq!(desk.delay(ADA, STRANGER), 1);
    }

    #[test]
    fn a_stranger_does_not_delay_an_account_where_it_is_at_home() {
        let desk = Desk::new(0);
        desk.succeeds(ADA, HOME).unwrap();
        for _ in 0..5 {
            desk.fails(ADA, STRANGER);
        }
        assert_eq!(desk.delay(ADA, STRANGER), 1);
        assert_eq!(desk.delay(ADA, "203.0.113.9"), 1, "all strangers share one delay");
        assert_eq!(desk.delay(ADA, HOME), 0);
        for _ in 0..5 {
            desk.fails(ADA, HOME);
        }
        assert_eq!(desk.delay(ADA, HOME), 1, "at home there is a delay too, of its own");
    }

    #[test]
    fn many_attempts_at_once_gain_nothing() {
        let desk = Desk::new(0);
        let answers: Vec<_> = (0..7).map(|_| desk.fails(ADA, STRANGER)).collect();
        assert_eq!(answers[..5], ["invalid_credentials"; 5]);
        assert_eq!(answers[5..], ["login_delayed"; 2]);
        let right = desk.succeeds(ADA, STRANGER).unwrap_err();
        assert!(right.is(&problem::LOGIN_DELAYED), "a right guess looks like a wrong one");
    }

    #[test]
    fn an_address_has_so_many_failures_a_minute() {
        let mut desk = Desk::new(3);
        for email in ["a@example.com", "b@example.com", "c@example.com"] {
            assert_eq!(desk.fails(email, STRANGER), "invalid_credentials");
            desk.wait(10);
        }
        assert_eq!(desk.delay("d@example.com", STRANGER), 30);
        assert_eq!(desk.fails("d@example.com", STRANGER), "rate_limited");
        assert_eq!(desk.delay("d@example.com", HOME), 0);
        desk.wait(30);
        assert_eq!(desk.delay("d@example.com", STRANGER), 0);
        assert_eq!(desk.fails("d@example.com", STRANGER), "invalid_credentials");
    }

    #[test]
    fn successes_use_up_nothing_and_zero_is_no_limit() {
        let desk = Desk::new(1);
        for _ in 0..10 {
            desk.succeeds(ADA, HOME).unwrap();
        }
        assert_eq!(desk.delay(ADA, HOME), 0);
        let unlimited = Desk::new(0);
        for n in 0..1000 {
            assert_eq!(unlimited.fails(&format!("{n}@example.com"), HOME), "invalid_credentials");
        }
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        let desk = Desk::new(1);
        desk.fails(ADA, "2001:db8:1:2::1");
        assert_eq!(desk.delay("bob@example.com", "2001:db8:1:2:ffff::9"), 60);
        assert_eq!(desk.delay("bob@example.com", "2001:db8:1:3::1"), 0);
        desk.fails(ADA, "::ffff:192.0.2.1");
        assert_eq!(desk.delay("bob@example.com", HOME), 60);
    }
}
