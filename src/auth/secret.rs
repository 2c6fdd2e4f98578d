//! Secrets that are random, and the one home of the operating system's randomness.
//!
//! An opaque secret is a prefix that says what it is (and lets scanners find leaked ones), 260 random bits in
//! Crockford's base32, and a checksum that refuses mistyped or invented ones without a look-up. Only its SHA-256 digest
//! is ever stored: against 260 random bits a slow hash would add nothing. Passwords are chosen by people and live in
//! `password.rs`.

use crate::{
    domain::base32,
    error::{Error, Result},
};
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Random characters of a secret, of five bits each.
const BODY_LENGTH: usize = 52;
/// Characters of the checksum: 30 bits of SHA-256 over what stands before it.
const CHECKSUM_LENGTH: usize = 6;
/// Characters of a secret that may be shown in lists: the prefix and eight more.
const SHOWN_LENGTH: usize = 12;
/// Groups of a readable password, and characters in each: 100 bits.
const GROUPS: (usize, usize) = (4, 5);

/// What a secret is good for. A secret of one kind is never taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ork_`: a program's credentials.
    ApiKey,
    /// `orr_`: continues a session.
    RefreshToken,
    /// `ors_`: lets its holder make the first administrator.
    SetupToken,
}

impl Kind {
    /// What secrets of this kind begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "ork_",
            Self::RefreshToken => "orr_",
            Self::SetupToken => "ors_",
        }
    }
}

/// The SHA-256 of a secret: what is stored, and what is looked up.
pub type Digest = [u8; 32];

/// A well-formed opaque secret; prints `***`, and is wiped from memory after use.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A fresh secret of 260 bits.
    ///
    /// # Errors
    /// `internal`, if the operating system has no randomness.
    pub fn generate(kind: Kind) -> Result<Self> {
        let mut text = Zeroizing::new(String::with_capacity(kind.prefix().len() + BODY_LENGTH + CHECKSUM_LENGTH));
        text.push_str(kind.prefix());
        text.extend(random_characters::<BODY_LENGTH>()?.iter());
        let checksum = checksum(&text);
        text.extend(checksum);
        Ok(Self(text))
    }

    /// The secret of this kind that `seed` stands for: who knows the one knows the other.
    pub fn from_seed(kind: Kind, seed: &Digest) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(kind.prefix().len() + BODY_LENGTH + CHECKSUM_LENGTH));
        text.push_str(kind.prefix());
        text.extend(base32::encode_bytes(seed, BODY_LENGTH));
        let checksum = checksum(&text);
        text.extend(checksum);
        Self(text)
    }

    /// Reads a secret of this kind; whatever `generate` cannot have made is refused without a look-up.
    pub fn parse(kind: Kind, text: &str) -> Option<Self> {
        let random = text.strip_prefix(kind.prefix())?;
        if random.len() != BODY_LENGTH + CHECKSUM_LENGTH || random.bytes().any(|c| base32::value(c).is_none()) {
            return None;
        }
        let (signed, claimed) = text.split_at(text.len() - CHECKSUM_LENGTH);
        claimed.chars().eq(checksum(signed)).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The whole secret, to be shown once to whom it belongs.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored in its place.
    pub fn digest(&self) -> Digest {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Enough of it for a person to tell theirs apart in a list; leaves more than 200 bits unknown.
    pub fn prefix(&self) -> &str {
        &self.0[..SHOWN_LENGTH]
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Compares two digests in a time that tells nothing about them.
pub fn same_digest(one: &Digest, other: &Digest) -> bool {
    one.ct_eq(other).into()
}

/// A random password that a person can copy from a screen: `xxxxx-xxxxx-xxxxx-xxxxx`, 100 bits.
///
/// # Errors
/// `internal`, if the operating system has no randomness.
pub fn readable_password() -> Result<Zeroizing<String>> {
    const LENGTH: usize = GROUPS.0 * GROUPS.1;
    let characters = random_characters::<LENGTH>()?;
    let groups = characters.chunks(GROUPS.1).map(|group| Zeroizing::new(group.iter().collect::<String>()));
    let mut password = Zeroizing::new(String::with_capacity(LENGTH + GROUPS.0));
    for group in groups {
        if !password.is_empty() {
            password.push('-');
        }
        password.push_str(&group);
    }
    Ok(password)
}

/// `N` random bytes: a signing key, a key identifier, the key of the cursors.
///
/// # Errors
/// `internal`, if the operating system has no randomness.
pub fn random_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    #[allow(clippy::disallowed_methods, reason = "the one place where the operating system's randomness is read")]
    getrandom::fill(bytes.as_mut_slice()).map_err(Error::internal)?;
    Ok(bytes)
}

/// A seed for the source of identifiers, which need to be unique and not secret.
///
/// # Errors
/// `internal`, if the operating system has no randomness.
pub fn random_seed() -> Result<u64> {
    Ok(u64::from_le_bytes(*random_bytes()?))
}

/// A random text of `N` characters, five bits each; for identifiers that need to be unguessable only.
///
/// # Errors
/// `internal`, if the operating system has no randomness.
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

    const KINDS: [Kind; 3] = [Kind::ApiKey, Kind::RefreshToken, Kind::SetupToken];

    #[test]
    fn what_was_generated_is_read_back_and_has_the_same_digest() {
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
    fn a_secret_of_one_kind_is_none_of_another() {
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
    fn every_altered_character_is_noticed() {
        let secret = Secret::generate(Kind::ApiKey).unwrap();
        let text = secret.reveal();
        for i in 0..text.len() {
            let mut altered = text.to_owned();
            let other = if &text[i..=i] == "0" { "1" } else { "0" };
            altered.replace_range(i..=i, other);
            assert!(Secret::parse(Kind::ApiKey, &altered).is_none(), "character {i}");
        }
        for bad in ["", "ork_", &text[..61], &format!("{text}0"), &text.to_uppercase(), &format!(" {text}")] {
            assert!(Secret::parse(Kind::ApiKey, bad).is_none(), "{bad}");
        }
        assert!(Secret::parse(Kind::ApiKey, &format!("ork_{}", "é".repeat(29))).is_none());
    }

    #[test]
    fn a_seed_stands_for_one_secret() {
        let secret = Secret::from_seed(Kind::RefreshToken, &[7; 32]);
        assert!(Secret::parse(Kind::RefreshToken, secret.reveal()).is_some());
        assert_eq!(Secret::from_seed(Kind::RefreshToken, &[7; 32]).reveal(), secret.reveal());
        for i in 0..256 {
            let mut other = [7; 32];
            other[i / 8] ^= 1 << (i % 8);
            assert_ne!(Secret::from_seed(Kind::RefreshToken, &other).reveal(), secret.reveal(), "bit {i}");
        }
    }

    #[test]
    fn nothing_prints_it() {
        let secret = Secret::generate(Kind::SetupToken).unwrap();
        assert_eq!(format!("{secret:?}"), "***");
    }

    #[test]
    fn secrets_differ() {
        let made: HashSet<_> = (0..1000).map(|_| Secret::generate(Kind::ApiKey).unwrap().reveal().to_owned()).collect();
        assert_eq!(made.len(), 1000);
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
