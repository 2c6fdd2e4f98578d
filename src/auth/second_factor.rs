//! The second factor: time-based one-time codes (RFC 6238) in the form that every authenticator app has, and recovery
//! codes for whoever has lost the app.
//!
//! Written here, because it is a few lines over an HMAC that is in the program already, while `totp-rs` brings three
//! crates for hashes and one for base32. RFC 6238's own examples are the test.

use super::secret;
use crate::{
    domain::{digest::sha256, id::Identifier, id::UserId, time::Timestamp},
    error::Result,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use std::fmt;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Bytes of a secret: as many as SHA-1 has, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// Digits of a code.
const DIGITS: usize = 6;
/// The number of codes.
const CODES: u32 = 1_000_000;
/// Seconds for which a code is shown.
const PERIOD_SECONDS: i64 = 30;
/// Steps by which the clocks of the app and the server may differ, either way.
const DRIFT: i64 = 1;
/// Recovery codes that are made at once.
pub const RECOVERY_CODES: usize = 10;
/// The digits of RFC 4648's base32, in which apps take secrets.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// The name that apps show beside the account.
const ISSUER: &str = "orderd";

/// The secret that the server shares with an authenticator app. It prints as `***` and is wiped from memory when
/// dropped.
#[derive(Clone)]
pub struct TotpSecret(Zeroizing<Vec<u8>>);

/// A period of thirty seconds since the epoch. Each has its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeStep(pub i64);

impl TotpSecret {
    /// Generates a secret.
    ///
    /// # Errors
    /// `internal` if the operating system provides no randomness.
    pub fn generate() -> Result<Self> {
        Ok(Self(Zeroizing::new(secret::random_bytes::<SECRET_BYTES>()?.to_vec())))
    }

    /// The secret with these bytes, which were sealed.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be sealed.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret in base32, to be typed into an app.
    pub fn reveal(&self) -> Zeroizing<String> {
        let bit = |i: usize| self.0.get(i / 8).map_or(0, |byte| byte >> (7 - i % 8) & 1);
        let digit = |i: usize| BASE32[usize::from((0..5).fold(0, |value, j| value << 1 | bit(5 * i + j)))] as char;
        Zeroizing::new((0..(self.0.len() * 8).div_ceil(5)).map(digit).collect())
    }

    /// The address that apps read from a QR code, for the account of `email`.
    pub fn uri(&self, email: &str) -> Zeroizing<String> {
        let account = utf8_percent_encode(email, NON_ALPHANUMERIC);
        let secret = self.reveal();
        Zeroizing::new(format!(
            "otpauth://totp/{ISSUER}:{account}?secret={}&issuer={ISSUER}&algorithm=SHA1&digits={DIGITS}\
             &period={PERIOD_SECONDS}",
            *secret
        ))
    }

    /// The step that `code` belongs to, if it is one of `now`, within the drift, and later than `used`, the step of the
    /// latest code. So a code works once, and none that was shown before it works any more.
    pub fn step_of(&self, code: &str, now: Timestamp, used: TimeStep) -> Option<TimeStep> {
        let present = TimeStep::at(now);
        let steps = (present.0 - DRIFT..=present.0 + DRIFT).map(TimeStep).filter(|step| *step > used);
        // All of them are compared, so that the time does not show which one is near.
        steps.fold(None, |found, step| {
            let matches: bool = self.code(step).as_bytes().ct_eq(code.as_bytes()).into();
            if matches { found.or(Some(step)) } else { found }
        })
    }

    /// The code of a step.
    pub fn code(&self, step: TimeStep) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.0.to_be_bytes());
        let hash = tag.as_ref();
        // RFC 4226, section 5.3: the last four bits say which 31 bits of the hash are the number.
        let offset = usize::from(hash.last().copied().unwrap_or_default() & 15);
        let bytes = hash.get(offset..offset + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).unwrap_or_default();
        let number = (u32::from_be_bytes(bytes) & 0x7fff_ffff) % CODES;
        format!("{number:0DIGITS$}")
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl TimeStep {
    /// Before the first code.
    pub const NONE: Self = Self(0);

    /// The step at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(now.seconds().div_euclid(PERIOD_SECONDS))
    }
}

/// A code as somebody typed it.
pub enum TypedCode {
    /// Of an authenticator app.
    Totp(Zeroizing<String>),
    /// A recovery code, or anything else.
    Recovery(Zeroizing<String>),
}

impl TypedCode {
    /// Tells codes apart by their form. Case, spaces and dashes do not matter.
    pub fn parse(typed: &str) -> Self {
        let plain = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_lowercase);
        let plain = Zeroizing::new(plain.collect::<String>());
        if plain.len() == DIGITS && plain.bytes().all(|c| c.is_ascii_digit()) {
            Self::Totp(plain)
        } else {
            Self::Recovery(plain)
        }
    }
}

/// Recovery codes of a user, to be shown once, each with the digest that is stored in its place. A code has 100 random
/// bits.
///
/// # Errors
/// `internal` if the operating system provides no randomness.
pub fn recovery_codes(user: UserId) -> Result<Vec<(Zeroizing<String>, secret::Digest)>> {
    let generate = |_| {
        let code = secret::readable_password()?;
        let (TypedCode::Recovery(plain) | TypedCode::Totp(plain)) = TypedCode::parse(&code);
        Ok((code, recovery_digest(user, &plain)))
    };
    (0..RECOVERY_CODES).map(generate).collect()
}

/// The digest of a recovery code, without spaces and dashes.
pub fn recovery_digest(user: UserId, plain: &str) -> secret::Digest {
    sha256(&[b"orderd recovery code", user.bytes(), plain.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(Zeroizing::new(b"12345678901234567890".to_vec()))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, whose codes have eight digits: ours are the last six.
        for (seconds, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(secret().code(TimeStep::at(at(seconds))), code[2..], "{seconds}");
        }
    }

    #[test]
    fn a_code_is_right_one_step_early_or_late_and_only_after_the_latest_one() {
        let (secret, step) = (secret(), TimeStep(1000));
        let code = secret.code(step);
        let of = |seconds, used| secret.step_of(&code, at(seconds), TimeStep(used));
        for seconds in [29_970, 29_999, 30_000, 30_029, 30_030, 30_059] {
            assert_eq!(of(seconds, 999), Some(step), "{seconds}");
        }
        assert_eq!([of(29_969, 0), of(30_060, 0)], [None, None], "too early, too late");
        assert_eq!([of(30_000, 1000), of(30_000, 1001)], [None, None], "used, or older than the one used");
        assert_eq!(secret.step_of("000000", at(30_000), TimeStep::NONE), None);
        assert_eq!(secret.step_of(&code[1..], at(30_000), TimeStep::NONE), None);
    }

    #[test]
    fn an_app_gets_the_secret_in_base32_and_as_an_address() {
        assert_eq!(*secret().reveal(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            *secret().uri("ada+x@example.com"),
            "otpauth://totp/orderd:ada%2Bx%40example%2Ecom?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=orderd\
             &algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(format!("{:?}", secret()), "***");
        assert_ne!(TotpSecret::generate().unwrap().bytes(), TotpSecret::generate().unwrap().bytes());
    }

    #[test]
    fn recovery_codes_are_read_in_any_case_and_spacing_and_belong_to_one_user() {
        let (ada, bob) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let codes = recovery_codes(ada).unwrap();
        assert_eq!(codes.len(), RECOVERY_CODES);
        for (code, digest) in &codes {
            let typed = format!(" {}\n", code.to_uppercase().replace('-', " "));
            let TypedCode::Recovery(plain) = TypedCode::parse(&typed) else { panic!("{typed}") };
            assert_eq!((plain.len(), recovery_digest(ada, &plain)), (20, *digest));
            assert_ne!(recovery_digest(bob, &plain), *digest);
        }
        assert!(matches!(TypedCode::parse("123 456"), TypedCode::Totp(code) if *code == "123456"));
        assert!(matches!(TypedCode::parse("12345"), TypedCode::Recovery(_)));
    }
}
