//! Slows down guessing of passwords: a growing delay for each account, and a limit of failed log-ins for each address.
//!
//! An account is identified by the e-mail address that was typed, so that an unknown account behaves like a known one. A
//! stranger can delay the log-ins of an account but cannot stop them: the delay has a maximum, an attempt during the delay
//! does not lengthen it, and failures from an address where the account has logged in before are counted separately.

use super::{RateLimiter, bounded_map::BoundedMap, subscriber, time_until};
use crate::{
    auth::secret::Digest,
    domain::time::Timestamp,
    error::{Error, Result, problem},
};
use sha2::{Digest as _, Sha256};
use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The number of consecutive failures after which the first delay applies.
const FIRST_DELAYED_FAILURE: usize = 5;
/// The delay after that failure, the next one, and so on. The last one applies to all further failures.
const DELAYS_SECONDS: [u64; 9] = [1, 3, 5, 10, 30, 60, 120, 300, 900];

/// Failed log-ins, by account and by address.
pub struct LoginDelays(Mutex<State>);

struct State {
    /// Consecutive failures by account, or by account and address for known addresses.
    accounts: BoundedMap<Digest, Failures>,
    /// Failures by address, whichever accounts they were for.
    addresses: RateLimiter<IpAddr>,
    /// Pairs of account and address that have logged in before.
    known_addresses: BoundedMap<Digest, ()>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: usize,
    delayed_until: Timestamp,
}

impl LoginDelays {
    /// Allows each address `failures_per_minute` failed log-ins. 0 turns that limit off, but not the delays.
    pub fn new(failures_per_minute: u32) -> Self {
        Self(Mutex::new(State {
            accounts: BoundedMap::new(),
            addresses: RateLimiter::new(failures_per_minute),
            known_addresses: BoundedMap::new(),
        }))
    }

    /// Whether a log-in may be tried now. Call this before verifying the password.
    ///
    /// # Errors
    /// `login_delayed` for the account or `rate_limited` for the address, both with the time to wait.
    pub fn check(&self, email: &str, address: IpAddr, now: Timestamp) -> Result<()> {
        self.lock().check(&Login::new(email, address), now)
    }

    /// Records a failed log-in and returns the error for the client: `invalid_credentials` whatever the reason. If other
    /// log-ins failed while this one was being verified, it returns the error of [`Self::check`] and records nothing, so
    /// that parallel guesses gain nothing over sequential ones.
    pub fn record_failure(&self, email: &str, address: IpAddr, now: Timestamp) -> Error {
        let login = Login::new(email, address);
        let mut state = self.lock();
        if let Err(refusal) = state.check(&login, now) {
            return refusal;
        }
        state.count_failure(&login, now);
        Error::new(&problem::INVALID_CREDENTIALS)
    }

    /// Records that the password was right, which resets the failures of the account.
    ///
    /// # Errors
    /// Those of [`Self::check`], if other log-ins failed while this one was being verified. The log-in must then be
    /// refused: otherwise the right guess among many parallel ones would stand out.
    pub fn record_success(&self, email: &str, address: IpAddr, now: Timestamp) -> Result<()> {
        let login = Login::new(email, address);
        let mut state = self.lock();
        state.check(&login, now)?;
        let key = state.account_key(&login);
        state.accounts.remove(&key);
        state.known_addresses.insert(login.account_and_subscriber, ());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self, login: &Login, now: Timestamp) -> Result<()> {
        if let Some(failures) = self.accounts.get(&self.account_key(login))
            && now < failures.delayed_until
        {
            return Err(Error::new(&problem::LOGIN_DELAYED).retry_after(time_until(failures.delayed_until, now)));
        }
        match self.addresses.peek(&login.subscriber, now) {
            Some(state) if state.remaining.is_none() => {
                Err(Error::new(&problem::RATE_LIMITED).retry_after(state.resets_in))
            }
            _ => Ok(()),
        }
    }

    fn count_failure(&mut self, login: &Login, now: Timestamp) {
        let key = self.account_key(login);
        let count = self.accounts.get(&key).map_or(0, |failures| failures.count) + 1;
        self.accounts.insert(key, Failures { count, delayed_until: now.plus(delay_after(count)) });
        self.addresses.count(login.subscriber, now);
    }

    /// The key that counts the failures of this log-in. A known address has its own, apart from all strangers.
    fn account_key(&self, login: &Login) -> Digest {
        let is_known = self.known_addresses.contains(&login.account_and_subscriber);
        if is_known { login.account_and_subscriber } else { login.account }
    }
}

/// The delay after this many consecutive failures.
fn delay_after(failures: usize) -> Duration {
    let Some(step) = failures.checked_sub(FIRST_DELAYED_FAILURE) else { return Duration::ZERO };
    Duration::from_secs(DELAYS_SECONDS[step.min(DELAYS_SECONDS.len() - 1)])
}

/// The account and the address of a log-in. Digests bound the memory that a typed e-mail address takes.
struct Login {
    account: Digest,
    account_and_subscriber: Digest,
    subscriber: IpAddr,
}

impl Login {
    fn new(email: &str, address: IpAddr) -> Self {
        let subscriber = subscriber(address);
        let account: Digest = Sha256::digest(email.trim().to_lowercase().as_bytes()).into();
        let pair = Sha256::new().chain_update(account).chain_update(subscriber.to_string());
        Self { account, account_and_subscriber: pair.finalize().into(), subscriber }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "ada@example.com";
    const HOME: &str = "192.0.2.1";
    const STRANGER: &str = "198.51.100.7";

    /// Log-in delays with a clock that the test moves.
    struct Fixture {
        delays: LoginDelays,
        now: Timestamp,
    }

    impl Fixture {
        fn new(failures_per_minute: u32) -> Self {
            Self { delays: LoginDelays::new(failures_per_minute), now: Timestamp::from_millis(1_000_000) }
        }

        fn wait(&mut self, seconds: u64) {
            self.now = self.now.plus(Duration::from_secs(seconds));
        }

        /// Seconds to wait; 0 if a log-in may be tried now.
        fn delay(&self, email: &str, address: &str) -> u64 {
            match self.delays.check(email, address.parse().unwrap(), self.now) {
                Ok(()) => 0,
                Err(error) => error.wait().unwrap().as_secs(),
            }
        }

        /// Fails a log-in and returns the problem code.
        fn fail(&self, email: &str, address: &str) -> &'static str {
            self.delays.record_failure(email, address.parse().unwrap(), self.now).problem().code
        }

        fn succeed(&self, email: &str, address: &str) -> Result<()> {
            self.delays.record_success(email, address.parse().unwrap(), self.now)
        }
    }

    #[test]
    fn the_delay_grows_from_the_fifth_failure_up_to_a_maximum() {
        let mut logins = Fixture::new(0);
        let mut delays = vec![];
        for _ in 0..15 {
            assert_eq!(logins.fail(ADA, HOME), "invalid_credentials");
            delays.push(logins.delay(ADA, HOME));
            logins.wait(delays[delays.len() - 1]);
        }
        assert_eq!(delays, [0, 0, 0, 0, 1, 3, 5, 10, 30, 60, 120, 300, 900, 900, 900]);
    }

    #[test]
    fn an_attempt_during_a_delay_does_not_lengthen_it() {
        let mut logins = Fixture::new(0);
        for _ in 0..8 {
            logins.fail(ADA, HOME);
            logins.wait(logins.delay(ADA, HOME));
        }
        logins.fail(ADA, HOME);
        assert_eq!(logins.delay(ADA, HOME), 30);
        logins.wait(10);
        for _ in 0..100 {
            assert_eq!(logins.fail(ADA, HOME), "login_delayed");
        }
        assert_eq!(logins.delay(ADA, HOME), 20);
        assert_eq!(logins.delay("bob@example.com", HOME), 0, "another account");
    }

    #[test]
    fn a_success_resets_the_failures() {
        let logins = Fixture::new(0);
        for _ in 0..4 {
            logins.fail(ADA, HOME);
        }
        logins.succeed(ADA, HOME).unwrap();
        for _ in 0..4 {
            logins.fail(ADA, HOME);
        }
        assert_eq!(logins.delay(ADA, HOME), 0);
    }

    #[test]
    fn case_and_surrounding_spaces_of_an_account_do_not_matter() {
        let logins = Fixture::new(0);
        for email in ["ada@example.com", "ADA@example.com", " Ada@Example.com ", "ada@EXAMPLE.com", ADA] {
            logins.fail(email, HOME);
        }
        assert_eq!(logins.delay(ADA, STRANGER), 1);
    }

    #[test]
    fn a_stranger_does_not_delay_an_account_at_its_known_address() {
        let logins = Fixture::new(0);
        logins.succeed(ADA, HOME).unwrap();
        for _ in 0..5 {
            logins.fail(ADA, STRANGER);
        }
        assert_eq!(logins.delay(ADA, STRANGER), 1);
        assert_eq!(logins.delay(ADA, "203.0.113.9"), 1, "all strangers share one delay");
        assert_eq!(logins.delay(ADA, HOME), 0);
        for _ in 0..5 {
            logins.fail(ADA, HOME);
        }
        assert_eq!(logins.delay(ADA, HOME), 1, "the known address has a delay of its own");
    }

    #[test]
    fn parallel_guesses_gain_nothing() {
        let logins = Fixture::new(0);
        let answers: Vec<_> = (0..7).map(|_| logins.fail(ADA, STRANGER)).collect();
        assert_eq!(answers[..5], ["invalid_credentials"; 5]);
        assert_eq!(answers[5..], ["login_delayed"; 2]);
        let right = logins.succeed(ADA, STRANGER).unwrap_err();
        assert!(right.is(&problem::LOGIN_DELAYED), "a right guess looks like a wrong one");
    }

    #[test]
    fn an_address_may_fail_a_limited_number_of_log_ins_a_minute() {
        let mut logins = Fixture::new(3);
        for email in ["a@example.com", "b@example.com", "c@example.com"] {
            assert_eq!(logins.fail(email, STRANGER), "invalid_credentials");
            logins.wait(10);
        }
        assert_eq!(logins.delay("d@example.com", STRANGER), 30);
        assert_eq!(logins.fail("d@example.com", STRANGER), "rate_limited");
        assert_eq!(logins.delay("d@example.com", HOME), 0);
        logins.wait(30);
        assert_eq!(logins.delay("d@example.com", STRANGER), 0);
        assert_eq!(logins.fail("d@example.com", STRANGER), "invalid_credentials");
    }

    #[test]
    fn successes_are_not_counted_and_zero_is_no_limit() {
        let logins = Fixture::new(1);
        for _ in 0..10 {
            logins.succeed(ADA, HOME).unwrap();
        }
        assert_eq!(logins.delay(ADA, HOME), 0);
        let unlimited = Fixture::new(0);
        for n in 0..1000 {
            assert_eq!(unlimited.fail(&format!("{n}@example.com"), HOME), "invalid_credentials");
        }
    }

    #[test]
    fn an_ipv6_network_of_64_bits_counts_as_one_address() {
        let logins = Fixture::new(1);
        logins.fail(ADA, "2001:db8:1:2::1");
        assert_eq!(logins.delay("bob@example.com", "2001:db8:1:2:ffff::9"), 60);
        assert_eq!(logins.delay("bob@example.com", "2001:db8:1:3::1"), 0);
        logins.fail(ADA, "::ffff:192.0.2.1");
        assert_eq!(logins.delay("bob@example.com", HOME), 60);
    }
}
