//! Typed, prefixed identifiers: a UUIDv7 (RFC 9562) written as a TypeID (`ord_01h455vb4pex5vsknk084sn02q`).

use super::{base32, time::Timestamp};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

/// The length of every prefix.
const PREFIX_LENGTH: usize = 3;

/// Common to all identifier types.
pub trait Identifier: Copy + Sized {
    /// The type's prefix, without the underscore.
    const PREFIX: &'static str;
    /// The regular expression of the text form, for schemas. [`Self::parse`] accepts exactly what it matches.
    const PATTERN: &'static str;
    /// The identifier of these stored bytes.
    fn from_bytes(bytes: [u8; 16]) -> Self;
    /// The stored bytes. Their order is the order of creation.
    fn bytes(&self) -> &[u8; 16];

    /// Reads the text form; accepts its canonical spelling only.
    fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(Self::PREFIX)?.strip_prefix('_')?;
        base32::decode_u128(encoded).map(|value| Self::from_bytes(value.to_be_bytes()))
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
    /// A webhook endpoint.
    WebhookId "whk"
    /// A delivery to a webhook endpoint.
    DeliveryId "dlv"
    /// A request.
    RequestId "req"
}

fn write_id(f: &mut fmt::Formatter<'_>, prefix: &str, bytes: &[u8; 16]) -> fmt::Result {
    // Written in one piece: a document has many identifiers, and each piece is searched for quotes.
    let mut text = [b'_'; PREFIX_LENGTH + 1 + base32::U128_LENGTH];
    text[..PREFIX_LENGTH].copy_from_slice(prefix.as_bytes());
    text[PREFIX_LENGTH + 1..].copy_from_slice(&base32::encode_u128(u128::from_be_bytes(*bytes)));
    f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

/// Generates UUIDv7 identifiers that strictly increase within the process, even when the clock stands still or goes
/// back (RFC 9562, section 6.2, method 2).
pub struct Ids(Mutex<Generator>);

struct Generator {
    last: u128,
    random: fastrand::Rng,
}

impl Ids {
    /// A generator whose identifiers depend only on `seed` and the times that [`Self::next`] is given.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(Generator { last: 0, random: fastrand::Rng::with_seed(seed) }))
    }

    /// The next identifier at `now`, larger than every earlier one of this generator.
    pub fn next<I: Identifier>(&self, now: Timestamp) -> I {
        let mut generator = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // 48 bits of milliseconds, then 74 random bits. The version and variant bits are inserted afterwards.
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
    fn the_text_form_is_the_example_of_the_typeid_specification() {
        let uuid = 0x0189_0a5d_ac96_774b_bcce_b302_099a_8057_u128;
        let id = UserId::from_bytes(uuid.to_be_bytes());
        assert_eq!(id.to_string(), "usr_01h455vb4pex5vsknk084sn02q");
        assert_eq!(UserId::parse("usr_01h455vb4pex5vsknk084sn02q"), Some(id));
    }

    #[test]
    fn other_spellings_of_an_id_are_refused() {
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
    fn the_pattern_names_exactly_the_digits() {
        assert_eq!(OrderId::PATTERN, "^ord_[0-7][0-9a-hjkmnp-tv-z]{25}$");
        let in_class =
            |c| matches!(c, b'0'..=b'9' | b'a'..=b'h' | b'j' | b'k' | b'm' | b'n' | b'p'..=b't' | b'v'..=b'z');
        for byte in 0..=255 {
            assert_eq!(base32::value(byte).is_some(), in_class(byte), "{byte}");
        }
    }

    #[test]
    fn ids_increase_even_when_the_clock_goes_back() {
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
