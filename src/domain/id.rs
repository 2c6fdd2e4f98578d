//! Typed, prefixed identifiers: a UUIDv7 (RFC 9562) written as a TypeID (`ord_01h455vb4pex5vsknk084sn02q`).

use super::time::Timestamp;
use std::{fmt, sync::Mutex};

/// Crockford's base32 in lower case (no i, l, o, u).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters after the prefix: 128 bits in base32.
const ENCODED_LENGTH: usize = 26;

/// What all identifiers have in common.
pub trait Identifier: Copy + Sized {
    /// The type's prefix, without the underscore.
    const PREFIX: &'static str;
    /// The regular expression of the text form, for schemas. [`Self::parse`] accepts exactly what it matches.
    const PATTERN: &'static str;
    /// From the stored bytes.
    fn from_bytes(bytes: [u8; 16]) -> Self;
    /// The stored bytes; their order is the order of creation.
    fn bytes(&self) -> &[u8; 16];

    /// Reads the text form; nothing but the one canonical spelling is accepted.
    fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(Self::PREFIX)?.strip_prefix('_')?;
        decode(encoded).map(Self::from_bytes)
    }
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident $prefix:literal)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl Identifier for $name {
            const PREFIX: &'static str = $prefix;
            const PATTERN: &'static str = concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$");
            fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
            fn bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id(f, $prefix, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )+};
}

identifiers! {
    /// A user.
    UserId "usr"
    /// A log-in session.
    SessionId "ses"
    /// An API key.
    KeyId "key"
    /// An order.
    OrderId "ord"
    /// A line of an order.
    ItemId "itm"
    /// A payment or refund.
    TransactionId "txn"
    /// An event.
    EventId "evt"
    /// An audit entry.
    AuditId "aud"
    /// A request.
    RequestId "req"
}

fn write_id(f: &mut fmt::Formatter<'_>, prefix: &str, bytes: &[u8; 16]) -> fmt::Result {
    let value = u128::from_be_bytes(*bytes);
    let mut text = [0_u8; ENCODED_LENGTH];
    for (i, c) in text.iter_mut().enumerate() {
        let shift = 5 * (ENCODED_LENGTH - 1 - i);
        *c = ALPHABET[(value >> shift) as usize & 31];
    }
    write!(f, "{prefix}_{}", std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn decode(text: &str) -> Option<[u8; 16]> {
    if text.len() != ENCODED_LENGTH || text.as_bytes()[0] > b'7' {
        return None;
    }
    let mut value = 0_u128;
    for c in text.bytes() {
        let digit = ALPHABET.iter().position(|&a| a == c)?;
        value = value << 5 | digit as u128;
    }
    Some(value.to_be_bytes())
}

/// The source of identifiers: UUIDv7, strictly increasing within the process even when the clock stands still
/// or goes back (RFC 9562, section 6.2, method 2).
pub struct Ids(Mutex<Generator>);

struct Generator {
    last: u128,
    random: fastrand::Rng,
}

impl Ids {
    /// A source whose identifiers depend on `seed` and the times given alone.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(Generator { last: 0, random: fastrand::Rng::with_seed(seed) }))
    }

    /// The next identifier at `now`, larger than every earlier one of this source.
    ///
    /// # Panics
    /// Never in practice: the lock is held for arithmetic only.
    pub fn next<I: Identifier>(&self, now: Timestamp) -> I {
        let mut generator = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // 48 bits of milliseconds, then 74 random bits; version and variant are put in between afterwards.
        let fresh = u128::from(now.millis().max(0).unsigned_abs()) << 74 | generator.random.u128(..) >> 54;
        let next = if fresh > generator.last { fresh } else { generator.last + 1 + generator.random.u128(..) % 65_536 };
        generator.last = next;
        I::from_bytes(with_version_and_variant(next))
    }
}

fn with_version_and_variant(value: u128) -> [u8; 16] {
    let millis = value >> 74 & 0xffff_ffff_ffff;
    let random_a = value >> 62 & 0xfff;
    let random_b = value & 0x3fff_ffff_ffff_ffff;
    (millis << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_the_typeid_of_the_specification() {
        let uuid = 0x0189_0a5d_ac96_774b_bcce_b302_099a_8057_u128;
        let id = UserId::from_bytes(uuid.to_be_bytes());
        assert_eq!(id.to_string(), "usr_01h455vb4pex5vsknk084sn02q");
        assert_eq!(UserId::parse("usr_01h455vb4pex5vsknk084sn02q"), Some(id));
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "ord_01h455vb4pex5vsknk084sn02q",
            "usr_81h455vb4pex5vsknk084sn02q",
            "usr_01H455VB4PEX5VSKNK084SN02Q",
            "usr_01h455vb4pex5vsknk084sn02",
            "usr_01h455vb4pex5vsknk084sn02qq",
            "usr_01h455vb4pex5vsknk084sn0il",
            "usr01h455vb4pex5vsknk084sn02q",
            "",
        ] {
            assert_eq!(UserId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ids_increase_though_the_clock_goes_back() {
        let ids = Ids::seeded(7);
        let mut last: OrderId = ids.next(Timestamp::from_millis(2_000_000));
        for millis in [2_000_000, 1_000_000, 2_000_000, 2_000_001] {
            let next: OrderId = ids.next(Timestamp::from_millis(millis));
            assert!(next > last);
            assert_eq!(next.bytes()[6] >> 4, 7, "version");
            assert_eq!(next.bytes()[8] >> 6, 0b10, "variant");
            last = next;
        }
    }
}
