//! Passwords: what may become one ([`rules`]), and the slow hash that is stored in its place.
//!
//! Hashing is argon2id (RFC 9106) at the parameters that OWASP recommends, on at most as many threads as there are
//! cores. It deliberately does not know whose password it is: a user that does not exist costs the same time.

mod guessable;
mod rules;

pub use rules::{AcceptedPassword, MAX_LENGTH, Owner, PasswordRules};

use crate::error::{Error, Result, problem};
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::{self, phc},
};
use std::{num::NonZeroUsize, sync::Arc, thread, time::Duration};
use tokio::sync::{Semaphore, oneshot};
use zeroize::Zeroizing;

/// How many may wait for each core: at some 40 ms each, the last of them is served within three seconds.
const WAITING_PER_CORE: usize = 64;
/// What those are told for whom there is no place to wait.
const OVERLOAD_WAIT: Duration = Duration::from_secs(3);
/// The niceness of a thread that hashes (setpriority(2)): about a tenth of the share of a thread at 0.
const NICENESS: i32 = 10;
/// Bounds on the parameters of stored hashes, so that a row cannot cost more memory or time than this.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 8;
/// A salt and a hash for nobody, in their PHC encoding. No password has it but by an accident of 1 in 2^256.
const NOBODY: &str = "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
}

impl Default for HashCost {
    /// OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane.
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2 }
    }
}

/// The outcome of comparing a password with a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is the password.
    pub matches: bool,
    /// Whether the stored hash is cheaper than present ones, so that a matching password is to be hashed anew.
    pub outdated: bool,
}

/// Hashes and compares passwords, a bounded number at a time; cheap to clone.
#[derive(Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
    nobody: Arc<str>,
    /// Those who hash; a permit goes with the work, not with the client who asked for it.
    cores: Arc<Semaphore>,
    /// Those who hash or wait.
    places: Arc<Semaphore>,
    most: NonZeroUsize,
}

impl Hasher {
    /// A hasher at this cost that keeps at most `cores` cores busy.
    ///
    /// # Errors
    /// `internal`, if argon2 cannot have such a cost.
    pub fn new(cost: HashCost, cores: NonZeroUsize) -> Result<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(Error::internal)?;
        let nobody = format!("$argon2id$v=19$m={},t={},p=1{NOBODY}", cost.memory_kib, cost.passes);
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            nobody: nobody.into(),
            cores: Arc::new(Semaphore::new(cores.get())),
            places: Arc::new(Semaphore::new(cores.get() * (1 + WAITING_PER_CORE))),
            most: cores,
        })
    }

    /// How many passwords are being hashed, and how many wait.
    pub fn load(&self) -> (usize, usize) {
        let running = self.most.get().saturating_sub(self.cores.available_permits());
        let taken = (self.most.get() * (1 + WAITING_PER_CORE)).saturating_sub(self.places.available_permits());
        (running, taken.saturating_sub(running))
    }

    /// The hash to store, in PHC form with a salt of its own.
    ///
    /// # Errors
    /// `overloaded`, if too many wait already.
    pub async fn hash(&self, password: AcceptedPassword) -> Result<String> {
        self.at_work(move |argon2| {
            argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(Error::internal)
        })
        .await
    }

    /// The hash to store for a password that has just matched an outdated one.
    ///
    /// # Errors
    /// `overloaded`, if too many wait already.
    pub async fn renew(&self, verified: &str) -> Result<String> {
        let password = rules::normalized(verified).unwrap_or_default();
        self.hash(AcceptedPassword::verified(password)).await
    }

    /// Compares `attempt` with the hash of a user, or of nobody in the same time.
    ///
    /// # Errors
    /// `overloaded`, if too many wait already; `internal`, if the stored hash is not one of ours.
    pub async fn verify(&self, attempt: &str, stored: Option<String>) -> Result<Verdict> {
        // What can be nobody's password is compared with nobody's.
        let (password, stored) = match (rules::normalized(attempt), stored) {
            (Some(password), Some(stored)) => (password, Some(stored)),
            _ => (Zeroizing::default(), None),
        };
        let nobody = Arc::clone(&self.nobody);
        self.at_work(move |argon2| {
            let verdict = compare(argon2, &password, stored.as_deref().unwrap_or(&nobody))?;
            Ok(Verdict { matches: verdict.matches && stored.is_some(), ..verdict })
        })
        .await
    }

    /// Does `work` on a thread of its own as soon as a core is free. Once begun it is finished, and holds its core
    /// until then, even when nobody waits for it any more: else clients that hang up could occupy all cores.
    async fn at_work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Error::new(&problem::OVERLOADED).retry_after(OVERLOAD_WAIT))?;
        let core = Arc::clone(&self.cores).acquire_owned().await.map_err(Error::internal)?;
        let argon2 = self.argon2.clone();
        let (answer, answered) = oneshot::channel();
        thread::Builder::new()
            .name("hasher".into())
            .spawn(move || {
                let _held = (place, core);
                yield_to_others();
                // Whoever asked may have gone.
                let _ = answer.send(work(&argon2));
            })
            .map_err(Error::internal)?;
        answered.await.map_err(Error::internal)?
    }
}

/// Lets every other thread go first: a log-in can wait, an order should not. Linux keeps priorities by thread, and a
/// lowered one cannot be raised again, which is why hashing has threads of its own.
fn yield_to_others() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(error.cause = %error, "hashing goes on at normal priority");
    }
}

fn compare(argon2: &Argon2<'static>, password: &str, stored: &str) -> Result<Verdict> {
    let hash = phc::PasswordHash::new(stored).map_err(Error::internal)?;
    let params = Params::try_from(&hash).map_err(Error::internal)?;
    if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
        return Err(Error::internal("a stored password hash has parameters out of bounds"));
    }
    let matches = match argon2.verify_password(password.as_bytes(), &hash) {
        Ok(()) => true,
        Err(password_hash::Error::PasswordInvalid) => false,
        Err(error) => return Err(Error::internal(error)),
    };
    let present = argon2.params();
    let outdated = hash.algorithm != argon2::ARGON2ID_IDENT
        || hash.version != Some(Version::V0x13.into())
        || params.m_cost() < present.m_cost()
        || params.t_cost() < present.t_cost();
    Ok(Verdict { matches, outdated })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const CHEAP: HashCost = HashCost { memory_kib: 8, passes: 1 };
    const GOOD: Verdict = Verdict { matches: true, outdated: false };
    const WRONG: Verdict = Verdict { matches: false, outdated: false };

    fn hasher() -> Hasher {
        Hasher::new(CHEAP, NonZeroUsize::MIN).unwrap()
    }

    fn accepted(password: &str) -> AcceptedPassword {
        let nobody = Owner { email: "ada@example.com", name: "Ada" };
        PasswordRules { min_length: 8 }.check(password, nobody, crate::error::Field::Password).unwrap()
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hasher = hasher();
        let stored = hasher.hash(accepted("tea at four o'clock")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        assert_eq!(hasher.verify("tea at four o'clock", Some(stored.clone())).await.unwrap(), GOOD);
        assert_eq!(hasher.verify("tea at five o'clock", Some(stored.clone())).await.unwrap(), WRONG);
        assert_ne!(hasher.hash(accepted("tea at four o'clock")).await.unwrap(), stored, "each has its own salt");
    }

    #[tokio::test]
    async fn composed_and_decomposed_letters_are_the_same_password() {
        let hasher = hasher();
        let stored = hasher.hash(accepted("cafe\u{301} au lait, deux")).await.unwrap();
        assert_eq!(hasher.verify("caf\u{e9} au lait, deux", Some(stored)).await.unwrap(), GOOD);
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let hasher = hasher();
        for attempt in ["", "tea at four o'clock"] {
            assert_eq!(hasher.verify(attempt, None).await.unwrap(), WRONG);
        }
    }

    #[tokio::test]
    async fn the_longest_password_works_and_a_longer_attempt_is_a_mismatch() {
        let hasher = hasher();
        let longest: String = ('\u{10000}'..).take(MAX_LENGTH).collect();
        let stored = hasher.hash(accepted(&longest)).await.unwrap();
        assert_eq!(hasher.verify(&longest, Some(stored.clone())).await.unwrap(), GOOD);
        assert_eq!(hasher.verify(&format!("{longest}x"), Some(stored.clone())).await.unwrap(), WRONG);
        assert_eq!(hasher.verify(&"x".repeat(1 << 20), Some(stored)).await.unwrap(), WRONG);
    }

    #[tokio::test]
    async fn hashes_cheaper_than_present_ones_are_outdated() {
        let stored = hasher().hash(accepted("tea at four o'clock")).await.unwrap();
        for cost in [HashCost { memory_kib: 16, passes: 1 }, HashCost { memory_kib: 8, passes: 2 }] {
            let verdict =
                Hasher::new(cost, NonZeroUsize::MIN).unwrap().verify("tea at four o'clock", Some(stored.clone())).await;
            assert_eq!(verdict.unwrap(), Verdict { matches: true, outdated: true });
        }
    }

    #[tokio::test]
    async fn stored_hashes_out_of_bounds_are_refused_unhashed() {
        for parameters in ["m=1048577,t=1,p=1", "m=8,t=4000000000,p=1", "m=1024,t=1,p=64"] {
            let stored = format!("$argon2id$v=19${parameters}{NOBODY}");
            let error = hasher().verify("tea at four o'clock", Some(stored)).await.unwrap_err();
            assert!(error.is(&problem::INTERNAL), "{parameters}");
        }
        assert!(hasher().verify("plain", Some("plain".into())).await.unwrap_err().is(&problem::INTERNAL));
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_frees_no_core_and_the_queue_is_bounded() {
        let hasher = hasher();
        let (release, gate) = mpsc::channel::<()>();
        let (tell, begun) = oneshot::channel();
        let at_work = tokio::spawn({
            let hasher = hasher.clone();
            async move {
                let work = move |_: &Argon2<'static>| {
                    tell.send(()).unwrap();
                    gate.recv().map_err(Error::internal)
                };
                hasher.at_work(work).await
            }
        });
        begun.await.unwrap();
        at_work.abort();
        assert!(at_work.await.unwrap_err().is_cancelled());
        assert_eq!(hasher.load(), (1, 0), "the work goes on");

        let waiting: Vec<_> = (0..WAITING_PER_CORE)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.verify("x", None).await })
            })
            .collect();
        while hasher.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(hasher.load(), (1, WAITING_PER_CORE));
        let error = hasher.verify("x", None).await.unwrap_err();
        assert!(error.is(&problem::OVERLOADED));
        assert_eq!(error.wait(), Some(OVERLOAD_WAIT));

        release.send(()).unwrap();
        for waiter in waiting {
            assert_eq!(waiter.await.unwrap().unwrap(), WRONG);
        }
        assert!(hasher.verify("x", None).await.is_ok());
    }

    #[test]
    fn the_default_cost_is_at_least_what_owasp_asks_for() {
        let hasher = Hasher::new(HashCost::default(), NonZeroUsize::MIN).unwrap();
        assert!(hasher.nobody.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }
}
