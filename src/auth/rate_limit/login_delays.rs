//! Slows down guessing of passwords: a growing delay for each account, and a limit of failed log-ins for each address.
//!
//! An account is identified by the e-mail address that was typed, so that an unknown account behaves like a known one.
//! A stranger can delay the log-ins of an account but cannot stop them: the delay has a maximum, an attempt during the
//! delay does not lengthen it, and failures from an address where the account has logged in before are counted
//! separately.

#[cfg(test)]
mod tests;

use super::{RateLimiter, bounded_map::BoundedMap, subscriber, time_until};
use crate::{
    auth::{mac::Mac, secret::Digest},
    domain::{
        access::{Fact, GuessedAt},
        time::Timestamp,
    },
    error::{Error, Result, problem},
};
use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The number of consecutive failures after which the first delay applies.
const FIRST_DELAYED_FAILURE: usize = 5;
/// The delay after that failure, the next one, and so on. The last one applies to all further failures.
const DELAYS_SECONDS: [u64; 9] = [1, 3, 5, 10, 30, 60, 120, 300, 900];
/// The most facts that wait to be told to other processes. Those beyond count here alone.
const MAX_NEWS: usize = 1_000;

/// Failed log-ins, by account and by address.
pub struct LoginDelays {
    /// Makes the digests of addresses, so that they do not let a reader of the memory test guesses.
    mac: Mac,
    /// This process among several that share failures; none if it shares them with nobody.
    process: Option<[u8; 16]>,
    state: Mutex<State>,
}

struct State {
    /// Consecutive failures by account, or by account and address for known addresses.
    accounts: BoundedMap<Digest, Failures>,
    /// Failures by address, whichever accounts they were for.
    addresses: RateLimiter<IpAddr>,
    /// Pairs of account and address that have logged in before.
    known_addresses: BoundedMap<Digest, ()>,
    /// What other processes are to be told.
    news: Vec<Fact>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: usize,
    delayed_until: Timestamp,
}

impl LoginDelays {
    /// Allows each address `failures_per_minute` failed log-ins. 0 turns that limit off, but not the delays. `process`
    /// names this process if others are to be told.
    pub fn new(mac: Mac, failures_per_minute: u32, process: Option<[u8; 16]>) -> Self {
        let state = State {
            accounts: BoundedMap::new(),
            addresses: RateLimiter::new(failures_per_minute),
            known_addresses: BoundedMap::new(),
            news: vec![],
        };
        Self { mac, process, state: Mutex::new(state) }
    }

    /// Whether a log-in may be tried now. Call this before verifying the password.
    ///
    /// # Errors
    /// `login_delayed` for the account or `rate_limited` for the address, both with the time to wait.
    pub fn check(&self, email: &str, address: IpAddr, now: Timestamp) -> Result<()> {
        self.lock().check(&Login::new(&self.mac, email, address), now)
    }

    /// Records a failed log-in and returns the error for the client: `invalid_credentials` whatever the reason. If
    /// other log-ins failed while this one was being verified, it returns the error of [`Self::check`] and records
    /// nothing, so that parallel guesses gain nothing over sequential ones.
    pub fn record_failure(&self, email: &str, address: IpAddr, now: Timestamp) -> Error {
        let login = Login::new(&self.mac, email, address);
        let mut state = self.lock();
        if let Err(refusal) = state.check(&login, now) {
            return refusal;
        }
        let account = state.account_key(&login);
        state.count_failure(account, now);
        state.addresses.count(login.subscriber, now);
        self.note(&mut state, |process| Fact::LogInFailed(GuessedAt { process, account }, now));
        Error::new(&problem::INVALID_CREDENTIALS)
    }

    /// Records that the password was right, which resets the failures of the account.
    ///
    /// # Errors
    /// Those of [`Self::check`], if other log-ins failed while this one was being verified. The log-in must then be
    /// refused: otherwise the right guess among many parallel ones would stand out.
    pub fn record_success(&self, email: &str, address: IpAddr, now: Timestamp) -> Result<()> {
        let login = Login::new(&self.mac, email, address);
        let mut state = self.lock();
        state.check(&login, now)?;
        let key = state.account_key(&login);
        state.succeed(&key, login.account_and_subscriber);
        self.note(&mut state, |process| {
            Fact::LogInSucceeded(GuessedAt { process, account: key }, login.account_and_subscriber)
        });
        Ok(())
    }

    /// Whether a secret that names no account, such as a reset token, may be tried now.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub fn check_address(&self, address: IpAddr, now: Timestamp) -> Result<()> {
        self.lock().check_address(subscriber(address), now)
    }

    /// Counts a wrong secret that names no account.
    ///
    /// # Errors
    /// That of [`Self::check_address`], if other failures have used up the limit meanwhile. Then it is not counted.
    pub fn record_failure_of_address(&self, address: IpAddr, now: Timestamp) -> Result<()> {
        let (subscriber, mut state) = (subscriber(address), self.lock());
        state.check_address(subscriber, now)?;
        state.addresses.count(subscriber, now);
        Ok(())
    }

    /// Takes what the other processes are to be told.
    pub fn take_news(&self) -> Vec<Fact> {
        std::mem::take(&mut self.lock().news)
    }

    /// Learns what has happened at another process. Such failures count here too.
    pub fn learn(&self, fact: &Fact) {
        let is_own = |guessed: &GuessedAt| Some(guessed.process) == self.process;
        match fact {
            Fact::LogInFailed(guessed, at) if !is_own(guessed) => self.lock().count_failure(guessed.account, *at),
            Fact::LogInSucceeded(guessed, known) if !is_own(guessed) => self.lock().succeed(&guessed.account, *known),
            _ => {}
        }
    }

    fn note(&self, state: &mut State, fact: impl FnOnce([u8; 16]) -> Fact) {
        if let Some(process) = self.process.filter(|_| state.news.len() < MAX_NEWS) {
            state.news.push(fact(process));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self, login: &Login, now: Timestamp) -> Result<()> {
        if let Some(failures) = self.accounts.get(&self.account_key(login))
            && now < failures.delayed_until
        {
            let until = failures.delayed_until;
            return Err(Error::new(&problem::LOGIN_DELAYED)
                .detail(format!("After several failures in a row, this account has to wait until {until}."))
                .retry_after(time_until(until, now)));
        }
        self.check_address(login.subscriber, now)
    }

    fn check_address(&self, subscriber: IpAddr, now: Timestamp) -> Result<()> {
        match self.addresses.peek(&subscriber, now) {
            Some(state) if state.remaining.is_none() => {
                let (limit, until) = (state.limit, now.plus(state.resets_in));
                Err(Error::new(&problem::RATE_LIMITED)
                    .detail(format!(
                        "The limit of {limit} failed log-ins a minute from this address is used up until {until}."
                    ))
                    .retry_after(state.resets_in))
            }
            _ => Ok(()),
        }
    }

    fn count_failure(&mut self, account: Digest, now: Timestamp) {
        let before = self.accounts.get(&account);
        let count = before.map_or(0, |failures| failures.count) + 1;
        let delayed_until = now.plus(delay_after(count));
        // Failures of several processes may be learned in another order than they happened.
        let delayed_until = before.map_or(delayed_until, |failures| failures.delayed_until.max(delayed_until));
        self.accounts.insert(account, Failures { count, delayed_until });
    }

    fn succeed(&mut self, account: &Digest, account_and_subscriber: Digest) {
        self.accounts.remove(account);
        self.known_addresses.insert(account_and_subscriber, ());
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

/// The account and the address of a log-in. Digests say nothing about the e-mail address without their key, and bound
/// the memory that a typed e-mail address takes.
struct Login {
    account: Digest,
    account_and_subscriber: Digest,
    subscriber: IpAddr,
}

impl Login {
    fn new(mac: &Mac, email: &str, address: IpAddr) -> Self {
        let subscriber = subscriber(address);
        let account = mac.digest(email.trim().to_lowercase().as_bytes());
        let pair = [&account, subscriber.to_string().as_bytes()].concat();
        Self { account, account_and_subscriber: mac.digest(&pair), subscriber }
    }
}
