//! The password hasher: argon2id (RFC 9106) with the parameters that OWASP recommends.

use super::{
    pool::{HashingLoad, HashingPool},
    rules::{self, AcceptedPassword},
};
use crate::error::{Error, Result};
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::{self, phc},
};
use std::{num::NonZeroUsize, sync::Arc};
use zeroize::Zeroizing;

/// Bounds on the parameters of stored hashes, so that a damaged row cannot take more memory or time than this.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 8;
/// Salt and hash of the dummy that is verified for unknown users, in PHC encoding. A password matches it with a
/// probability of 1 in 2^256, and even a match is refused.
const DUMMY_SALT_AND_HASH: &str = "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The cost of one hash.
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

/// The result of verifying a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the password is right.
    pub matches: bool,
    /// Whether the stored hash is cheaper than current ones, so that a matching password should be hashed again.
    pub outdated: bool,
}

/// Hashes and verifies passwords, a bounded number at a time. Cheap to clone.
#[derive(Clone)]
pub struct PasswordHasher {
    argon2: Argon2<'static>,
    dummy_hash: Arc<str>,
    pool: HashingPool,
}

impl PasswordHasher {
    /// A hasher with this cost that uses at most `threads` threads.
    ///
    /// # Errors
    /// `internal` if argon2 does not support the cost.
    pub fn new(cost: HashCost, threads: NonZeroUsize) -> Result<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(Error::internal)?;
        let dummy_hash = format!("$argon2id$v=19$m={},t={},p=1{DUMMY_SALT_AND_HASH}", cost.memory_kib, cost.passes);
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            dummy_hash: dummy_hash.into(),
            pool: HashingPool::new(threads),
        })
    }

    /// The number of hashes that run and wait.
    pub fn load(&self) -> HashingLoad {
        self.pool.load()
    }

    /// The hash to store, in PHC form with its own salt.
    ///
    /// # Errors
    /// `overloaded` if too many hashes wait.
    pub async fn hash(&self, password: AcceptedPassword) -> Result<String> {
        let argon2 = self.argon2.clone();
        self.pool
            .run(move || {
                argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(Error::internal)
            })
            .await
    }

    /// The hash to store for a password that has just matched an outdated hash.
    ///
    /// # Errors
    /// `overloaded` if too many hashes wait.
    pub async fn rehash(&self, verified: &str) -> Result<String> {
        let password = rules::normalized(verified).unwrap_or_default();
        self.hash(AcceptedPassword::verified(password)).await
    }

    /// Verifies a password against the stored hash of a user. `None` stands for an unknown user: nothing matches, but
    /// verifying takes the same time.
    ///
    /// # Errors
    /// `overloaded` if too many hashes wait; `internal` if the stored hash is malformed or out of bounds.
    pub async fn verify(&self, password: &str, stored: Option<String>) -> Result<Verdict> {
        // A text that is too long for a password is verified against the dummy.
        let (password, stored) = match (rules::normalized(password), stored) {
            (Some(password), Some(stored)) => (password, Some(stored)),
            _ => (Zeroizing::default(), None),
        };
        let (argon2, dummy_hash) = (self.argon2.clone(), Arc::clone(&self.dummy_hash));
        self.pool
            .run(move || {
                let verdict = compare(&argon2, &password, stored.as_deref().unwrap_or(&dummy_hash))?;
                Ok(Verdict { matches: verdict.matches && stored.is_some(), ..verdict })
            })
            .await
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
    let current = argon2.params();
    let outdated = hash.algorithm != argon2::ARGON2ID_IDENT
        || hash.version != Some(Version::V0x13.into())
        || params.m_cost() < current.m_cost()
        || params.t_cost() < current.t_cost();
    Ok(Verdict { matches, outdated })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{MAX_LENGTH, Owner, PasswordRules},
        *,
    };
    use crate::error::{Field, problem};

    const CHEAP: HashCost = HashCost { memory_kib: 8, passes: 1 };
    const RIGHT: Verdict = Verdict { matches: true, outdated: false };
    const WRONG: Verdict = Verdict { matches: false, outdated: false };

    fn hasher() -> PasswordHasher {
        PasswordHasher::new(CHEAP, NonZeroUsize::MIN).unwrap()
    }

    fn accepted(password: &str) -> AcceptedPassword {
        let owner = Owner { email: "ada@example.com", name: "Ada" };
        PasswordRules { min_length: 8 }.check(password, owner, Field::Password).unwrap()
    }

    #[tokio::test]
    async fn a_password_matches_only_its_own_hash() {
        let hasher = hasher();
        let stored = hasher.hash(accepted("tea at four o'clock")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        assert_eq!(hasher.verify("tea at four o'clock", Some(stored.clone())).await.unwrap(), RIGHT);
        assert_eq!(hasher.verify("tea at five o'clock", Some(stored.clone())).await.unwrap(), WRONG);
        assert_ne!(hasher.hash(accepted("tea at four o'clock")).await.unwrap(), stored, "each has its own salt");
    }

    #[tokio::test]
    async fn composed_and_decomposed_letters_are_the_same_password() {
        let hasher = hasher();
        let stored = hasher.hash(accepted("cafe\u{301} au lait, deux")).await.unwrap();
        assert_eq!(hasher.verify("caf\u{e9} au lait, deux", Some(stored)).await.unwrap(), RIGHT);
    }

    #[tokio::test]
    async fn nothing_matches_for_an_unknown_user() {
        let hasher = hasher();
        for attempt in ["", "tea at four o'clock"] {
            assert_eq!(hasher.verify(attempt, None).await.unwrap(), WRONG);
        }
    }

    #[tokio::test]
    async fn the_longest_password_matches_and_a_longer_one_does_not() {
        let hasher = hasher();
        let longest: String = ('\u{10000}'..).take(MAX_LENGTH).collect();
        let stored = hasher.hash(accepted(&longest)).await.unwrap();
        assert_eq!(hasher.verify(&longest, Some(stored.clone())).await.unwrap(), RIGHT);
        assert_eq!(hasher.verify(&format!("{longest}x"), Some(stored.clone())).await.unwrap(), WRONG);
        assert_eq!(hasher.verify(&"x".repeat(1 << 20), Some(stored)).await.unwrap(), WRONG);
    }

    #[tokio::test]
    async fn hashes_cheaper_than_current_ones_are_outdated() {
        let stored = hasher().hash(accepted("tea at four o'clock")).await.unwrap();
        for cost in [HashCost { memory_kib: 16, passes: 1 }, HashCost { memory_kib: 8, passes: 2 }] {
            let verdict = PasswordHasher::new(cost, NonZeroUsize::MIN)
                .unwrap()
                .verify("tea at four o'clock", Some(stored.clone()))
                .await;
            assert_eq!(verdict.unwrap(), Verdict { matches: true, outdated: true });
        }
    }

    #[tokio::test]
    async fn stored_hashes_out_of_bounds_are_refused_before_hashing() {
        for parameters in ["m=1048577,t=1,p=1", "m=8,t=4000000000,p=1", "m=1024,t=1,p=64"] {
            let stored = format!("$argon2id$v=19${parameters}{DUMMY_SALT_AND_HASH}");
            let error = hasher().verify("tea at four o'clock", Some(stored)).await.unwrap_err();
            assert!(error.is(&problem::INTERNAL), "{parameters}");
        }
        assert!(hasher().verify("plain", Some("plain".into())).await.unwrap_err().is(&problem::INTERNAL));
    }

    #[test]
    fn the_default_cost_is_at_least_what_owasp_recommends() {
        let hasher = PasswordHasher::new(HashCost::default(), NonZeroUsize::MIN).unwrap();
        assert!(hasher.dummy_hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }
}
