//! Random secrets: API keys, refresh tokens, the two halves of a browser's session, reset tokens and set-up tokens.
//! This is also the only module that reads the operating system's randomness.
//!
//! A secret consists of a prefix that names its kind and lets scanners find leaked secrets, 260 random bits in base32,
//! and a checksum that rejects mistyped or invented secrets without a lookup. Only its SHA-256 digest is stored; with
//! 260 random bits a slow hash would add nothing. Passwords are chosen by people and handled in `password`.

use crate::{
    domain::base32,
    error::{Error, Result},
};
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Random characters of a secret, five bits each.
const BODY_LENGTH: usize = 52;
/// Characters of the checksum: 30 bits of the SHA-256 of everything before it.
const CHECKSUM_LENGTH: usize = 6;
/// Characters of a secret that lists may show: the prefix of its kind and eight more.
const PUBLIC_PREFIX_LENGTH: usize = 12;
/// Groups of a readable password.
const PASSWORD_GROUPS: usize = 4;
/// Characters in each group. Together the groups have 100 random bits.
const PASSWORD_GROUP_LENGTH: usize = 5;

/// The purpose of a secret. A secret of one kind is never accepted as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// `ork_`: authenticates a program.
    ApiKey,
    /// `ort_`: continues a session.
    RefreshToken,
    /// `orb_`: the half of a browser's session that is in a cookie.
    SessionCookie,
    /// `orc_`: the half of a browser's session that its page keeps and sends in a header.
    ConsoleKey,
    /// `orr_`: lets a user set a password without knowing the old one.
    ResetToken,
    /// `orl_`: gives a browser that has signed in elsewhere the other half of its session.
    SignInClaim,
    /// `ors_`: lets its holder create the first administrator.
    SetupToken,
}

impl SecretKind {
    /// The first characters of every secret of this kind.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "ork_",
            Self::RefreshToken => "ort_",
            Self::SessionCookie => "orb_",
            Self::ConsoleKey => "orc_",
            Self::ResetToken => "orr_",
            Self::SignInClaim => "orl_",
            Self::SetupToken => "ors_",
        }
    }
}

/// The SHA-256 of a secret, which is stored and looked up in its place.
pub type Digest = [u8; 32];

/// A well-formed secret. It prints as `***` and is wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Generates a secret of 260 random bits.
    ///
    /// # Errors
    /// `internal` if the operating system provides no randomness.
    pub fn generate(kind: SecretKind) -> Result<Self> {
        Ok(Self::with_body(kind, random_characters::<BODY_LENGTH>()?.iter().copied()))
    }

    /// Derives the secret of this kind from `seed`. The same seed always gives the same secret.
    pub fn from_seed(kind: SecretKind, seed: &Digest) -> Self {
        Self::with_body(kind, base32::encode_bytes(seed, BODY_LENGTH))
    }

    fn with_body(kind: SecretKind, body: impl Iterator<Item = char>) -> Self {
        // The full capacity at once, so that no part of the secret remains in freed memory.
        let mut text = Zeroizing::new(String::with_capacity(kind.prefix().len() + BODY_LENGTH + CHECKSUM_LENGTH));
        text.push_str(kind.prefix());
        text.extend(body);
        let checksum = checksum(&text);
        text.extend(checksum);
        Self(text)
    }

    /// Reads a secret of this kind. `None` if its form or its checksum is wrong.
    pub fn parse(kind: SecretKind, text: &str) -> Option<Self> {
        let random = text.strip_prefix(kind.prefix())?;
        if random.len() != BODY_LENGTH + CHECKSUM_LENGTH || random.bytes().any(|c| base32::value(c).is_none()) {
            return None;
        }
        let (signed, claimed) = text.split_at(text.len() - CHECKSUM_LENGTH);
        claimed.chars().eq(checksum(signed)).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The whole secret, to be shown once to its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The digest that is stored in its place.
    pub fn digest(&self) -> Digest {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The first characters, by which a person recognises the secret in a list. More than 200 bits remain unknown.
    pub fn prefix(&self) -> &str {
        &self.0[..PUBLIC_PREFIX_LENGTH]
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Compares two digests in constant time.
pub fn same_digest(one: &Digest, other: &Digest) -> bool {
    one.ct_eq(other).into()
}

/// Generates a password of 100 random bits that a person can copy from a screen: `xxxxx-xxxxx-xxxxx-xxxxx`.
///
/// # Errors
/// `internal` if the operating system provides no randomness.
pub fn readable_password() -> Result<Zeroizing<String>> {
    const LENGTH: usize = PASSWORD_GROUPS * PASSWORD_GROUP_LENGTH;
    let characters = random_characters::<LENGTH>()?;
    let groups = characters.chunks(PASSWORD_GROUP_LENGTH).map(|group| Zeroizing::new(group.iter().collect::<String>()));
    let mut password = Zeroizing::new(String::with_capacity(LENGTH + PASSWORD_GROUPS));
    for group in groups {
        if !password.is_empty() {
            password.push('-');
        }
        password.push_str(&group);
    }
    Ok(password)
}

/// Generates `N` random bytes, such as a signing key.
///
/// # Errors
/// `internal` if the operating system provides no randomness.
pub fn random_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    #[allow(clippy::disallowed_methods, reason = "the only place that reads the operating system's randomness")]
    getrandom::fill(bytes.as_mut_slice()).map_err(Error::internal)?;
    Ok(bytes)
}

/// Generates a seed for identifiers, which must be unique but not secret.
///
/// # Errors
/// `internal` if the operating system provides no randomness.
pub fn random_seed() -> Result<u64> {
    Ok(u64::from_le_bytes(*random_bytes()?))
}

/// Generates a text of `N` random characters of five bits each, for identifiers that must be hard to guess.
///
/// # Errors
/// `internal` if the operating system provides no randomness.
pub fn random_text<const N: usize>() -> Result<String> {
    Ok(random_characters::<N>()?.iter().collect())
}

fn random_characters<const N: usize>() -> Result<Zeroizing<[char; N]>> {
    let bytes = random_bytes::<N>()?;
    // 32 divides 256, so all digits are equally likely.
    Ok(Zeroizing::new(bytes.map(base32::digit)))
}

fn checksum(signed: &str) -> [char; CHECKSUM_LENGTH] {
    let digest: Digest = Sha256::digest(signed.as_bytes()).into();
    std::array::from_fn(|i| base32::digit(digest[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const KINDS: [SecretKind; 7] = [
        SecretKind::ApiKey,
        SecretKind::RefreshToken,
        SecretKind::SessionCookie,
        SecretKind::ConsoleKey,
        SecretKind::ResetToken,
        SecretKind::SignInClaim,
        SecretKind::SetupToken,
    ];

    #[test]
    fn a_generated_secret_is_read_back_and_has_the_same_digest() {
        for kind in KINDS {
            let secret = Secret::generate(kind).unwrap();
            assert_eq!(secret.reveal().len(), 62);
            assert!(secret.reveal().starts_with(kind.prefix()));
            let read = Secret::parse(kind, secret.reveal()).unwrap();
            assert!(same_digest(&read.digest(), &secret.digest()));
            assert_eq!(read.prefix(), &secret.reveal()[..12]);
        }
    }

    #[test]
    fn a_secret_of_one_kind_is_not_accepted_as_another() {
        for kind in KINDS {
            let secret = Secret::generate(kind).unwrap();
            for other in KINDS.into_iter().filter(|&other| other != kind) {
                assert!(Secret::parse(other, secret.reveal()).is_none());
                let disguised = secret.reveal().replacen(kind.prefix(), other.prefix(), 1);
                assert!(Secret::parse(other, &disguised).is_none(), "the checksum covers the prefix");
            }
        }
    }

    #[test]
    fn every_altered_character_is_detected() {
        let secret = Secret::generate(SecretKind::ApiKey).unwrap();
        let text = secret.reveal();
        for i in 0..text.len() {
            let mut altered = text.to_owned();
            let other = if &text[i..=i] == "0" { "1" } else { "0" };
            altered.replace_range(i..=i, other);
            assert!(Secret::parse(SecretKind::ApiKey, &altered).is_none(), "character {i}");
        }
        for bad in ["", "ork_", &text[..61], &format!("{text}0"), &text.to_uppercase(), &format!(" {text}")] {
            assert!(Secret::parse(SecretKind::ApiKey, bad).is_none(), "{bad}");
        }
        assert!(Secret::parse(SecretKind::ApiKey, &format!("ork_{}", "é".repeat(29))).is_none());
    }

    #[test]
    fn each_seed_gives_one_secret() {
        let secret = Secret::from_seed(SecretKind::RefreshToken, &[7; 32]);
        assert!(Secret::parse(SecretKind::RefreshToken, secret.reveal()).is_some());
        assert_eq!(Secret::from_seed(SecretKind::RefreshToken, &[7; 32]).reveal(), secret.reveal());
        for i in 0..256 {
            let mut other = [7; 32];
            other[i / 8] ^= 1 << (i % 8);
            assert_ne!(Secret::from_seed(SecretKind::RefreshToken, &other).reveal(), secret.reveal(), "bit {i}");
        }
    }

    #[test]
    fn a_secret_prints_as_asterisks() {
        let secret = Secret::generate(SecretKind::SetupToken).unwrap();
        assert_eq!(format!("{secret:?}"), "***");
    }

    #[test]
    fn generated_secrets_differ() {
        let secrets: HashSet<_> =
            (0..1000).map(|_| Secret::generate(SecretKind::ApiKey).unwrap().reveal().to_owned()).collect();
        assert_eq!(secrets.len(), 1000);
        assert_ne!(random_seed().unwrap(), random_seed().unwrap());
        assert_ne!(*random_bytes::<32>().unwrap(), *random_bytes::<32>().unwrap());
    }

    #[test]
    fn digests_that_differ_in_one_bit_differ() {
        let digest = [7; 32];
        let mut other = digest;
        other[31] ^= 0x80;
        assert!(same_digest(&digest, &digest.clone()));
        assert!(!same_digest(&digest, &other));
    }

    #[test]
    fn readable_passwords_are_long_enough_and_easy_to_copy() {
        let password = readable_password().unwrap();
        assert_eq!(password.len(), 23);
        assert!(password.split('-').all(|group| group.len() == 5 && group.bytes().all(|c| base32::value(c).is_some())));
        assert_ne!(*password, *readable_password().unwrap());
    }
}
