//! The form in which sums are kept: by bucket of time, currency and subject, in that order, as one run of bytes. It is
//! some ten bytes for a sum over a user's day, and read without a look-up; rows of SQLite were five times the size and
//! fifty times slower.
//!
//! A group for each bucket and currency: the bucket, the three letters of the currency, its entries, and 0. An entry is how
//! much greater its subject is than the one before (the first: than −1), and its values. Numbers are LEB128 (DWARF 5,
//! section 7.6), those that can be negative with the sign in the lowest bit. They are as long as they need to be: no sum is
//! too large.

use crate::domain::money::Currency;

/// Values that an entry has at most.
pub const WIDEST: usize = 7;

/// Bits of a number: enough for the sum of 2^44 of the largest amounts, and so few that sums of them cannot overflow.
const BITS: u32 = 98;

/// Bytes of numbers that fit into 64 bits.
const SHORT: usize = 9;

/// The greatest subject.
const LAST_SUBJECT: i64 = u32::MAX as i64;

/// What an entry comes to; those beyond the width of its ledger are 0.
pub type Values = [i128; WIDEST];

/// What is counted, and for whom or what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ledger {
    /// Orders and money. There is one subject, 0.
    Sales,
    /// The same for each user, by `users.seq`; 0 for orders of nobody.
    Users,
    /// Orders by where they stand now, by [`super::standing_subject`].
    Statuses,
    /// What was sold of each SKU, by `skus.seq`.
    Items,
}

impl Ledger {
    /// All of them, in the order in which they are declared.
    pub const ALL: [Self; 4] = [Self::Sales, Self::Users, Self::Statuses, Self::Items];

    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sales => "sales",
            Self::Users => "users",
            Self::Statuses => "statuses",
            Self::Items => "items",
        }
    }

    /// How many values its entries have.
    pub const fn width(self) -> usize {
        match self {
            Self::Sales => 7,
            Self::Users => 5,
            Self::Statuses => 2,
            Self::Items => 3,
        }
    }
}

/// Where an entry belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Whole spans since the epoch: of a quarter of an hour, 32 bits are enough for sixty thousand years.
    pub bucket: i64,
    /// The currency.
    pub currency: Currency,
    /// For whom or what, from 0.
    pub subject: i64,
}

/// The bytes are none that this program wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged;

/// Writes entries, which come in the order of their places.
struct Encoder {
    ledger: Ledger,
    bytes: Vec<u8>,
    last: Option<Place>,
}

impl Encoder {
    fn new(ledger: Ledger) -> Self {
        Self { ledger, bytes: vec![], last: None }
    }

    /// Writes an entry; nothing if it comes to nothing.
    fn push(&mut self, place: &Place, values: &Values) {
        if *values == Values::default() {
            return;
        }
        let group = |place: &Place| (place.bucket, place.currency);
        let before = match &self.last {
            Some(last) if group(last) == group(place) => last.subject,
            last => {
                if last.is_some() {
                    self.bytes.push(0);
                }
                write_signed(&mut self.bytes, place.bucket.into());
                self.bytes.extend_from_slice(place.currency.code().as_bytes());
                -1
            }
        };
        write(&mut self.bytes, (place.subject - before).unsigned_abs().into());
        values[..self.ledger.width()].iter().for_each(|value| write_signed(&mut self.bytes, *value));
        self.last = Some(*place);
    }

    /// The bytes; none for no entries.
    fn finish(mut self) -> Vec<u8> {
        if self.last.is_some() {
            self.bytes.push(0);
        }
        self.bytes
    }
}

/// The bytes of entries, which come in the order of their places.
pub(super) fn encode<'e>(ledger: Ledger, entries: impl IntoIterator<Item = (&'e Place, &'e Values)>) -> Vec<u8> {
    let mut encoder = Encoder::new(ledger);
    for (place, values) in entries {
        encoder.push(place, values);
    }
    encoder.finish()
}

/// Shows `visit` each entry of these bytes.
pub(super) fn each(ledger: Ledger, mut bytes: &[u8], mut visit: impl FnMut(&Place, &Values)) -> Result<(), Damaged> {
    let mut values = Values::default();
    while !bytes.is_empty() {
        let bucket = i32::try_from(read_signed(&mut bytes)?).map_err(|_| Damaged)?.into();
        let (code, rest) = bytes.split_at_checked(3).ok_or(Damaged)?;
        let currency = std::str::from_utf8(code).ok().and_then(Currency::stored).ok_or(Damaged)?;
        bytes = rest;
        let mut subject = -1_i64;
        loop {
            let step = i64::try_from(read(&mut bytes)?).map_err(|_| Damaged)?;
            if step == 0 {
                break;
            }
            subject = subject.checked_add(step).filter(|subject| *subject <= LAST_SUBJECT).ok_or(Damaged)?;
            for value in &mut values[..ledger.width()] {
                *value = read_signed(&mut bytes)?;
            }
            visit(&Place { bucket, currency, subject }, &values);
        }
    }
    Ok(())
}

/// `bytes` with these entries added, which come in the order of their places.
pub(super) fn merge<'e>(
    ledger: Ledger,
    bytes: &[u8],
    entries: impl Iterator<Item = (&'e Place, &'e Values)>,
) -> Result<Vec<u8>, Damaged> {
    let mut merged = Encoder::new(ledger);
    let mut entries = entries.peekable();
    each(ledger, bytes, |place, values| {
        while let Some((earlier, values)) = entries.next_if(|(other, _)| *other < place) {
            merged.push(earlier, values);
        }
        match entries.next_if(|(other, _)| *other == place) {
            Some((_, more)) => merged.push(place, &sum(values, more)),
            None => merged.push(place, values),
        }
    })?;
    entries.for_each(|(place, values)| merged.push(place, values));
    Ok(merged.finish())
}

pub(super) fn sum(values: &Values, more: &Values) -> Values {
    std::array::from_fn(|i| values[i] + more[i])
}

fn write(bytes: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn write_signed(bytes: &mut Vec<u8>, number: i128) {
    write(bytes, ((number << 1) ^ (number >> 127)).cast_unsigned());
}

/// Most numbers have few bytes, and a report reads a million of them.
#[inline(always)]
fn read(bytes: &mut &[u8]) -> Result<u128, Damaged> {
    let mut number = 0_u64;
    for (i, byte) in bytes.iter().take(SHORT).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * i);
        if *byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Ok(number.into());
        }
    }
    read_long(bytes)
}

#[cold]
fn read_long(bytes: &mut &[u8]) -> Result<u128, Damaged> {
    let mut number = 0;
    for shift in (0..BITS).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Damaged)?;
        *bytes = rest;
        number |= u128::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Damaged)
}

#[inline(always)]
fn read_signed(bytes: &mut &[u8]) -> Result<i128, Damaged> {
    let number = read(bytes)?;
    Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::btree_map, prelude::*};
    use std::collections::BTreeMap;

    type Entries = BTreeMap<Place, Values>;

    fn entries() -> impl Strategy<Value = Entries> {
        let currency = prop_oneof![Just("EUR"), Just("JPY"), Just("KWD")];
        let place = (-5_i64..5, currency, prop_oneof![0_i64..9, Just(LAST_SUBJECT)])
            .prop_map(|(bucket, code, subject)| Place { bucket, currency: Currency::stored(code).unwrap(), subject });
        let value = prop_oneof![-3_i128..3, any::<i64>().prop_map(i128::from), Just(1 << 95), Just(-1 << 95)];
        btree_map(place, [value.clone(), value].prop_map(|[a, b]| [a, b, 0, 0, 0, 0, 0]), 0..20)
    }

    fn encoded(entries: &Entries) -> Vec<u8> {
        encode(Ledger::Statuses, entries)
    }

    fn decode(bytes: &[u8]) -> Result<Entries, Damaged> {
        let mut found = Entries::new();
        each(Ledger::Statuses, bytes, |place, values| {
            assert_eq!(found.insert(*place, *values), None);
        })?;
        Ok(found)
    }

    fn without_zeros(mut entries: Entries) -> Entries {
        entries.retain(|_, values| *values != Values::default());
        entries
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(entries in entries()) {
            prop_assert_eq!(decode(&encoded(&entries)).unwrap(), without_zeros(entries));
        }

        #[test]
        fn merging_adds(first in entries(), second in entries()) {
            let merged = merge(Ledger::Statuses, &encoded(&first), second.iter()).unwrap();
            let mut expected = first;
            for (place, values) in second {
                let entry = expected.entry(place).or_default();
                *entry = sum(entry, &values);
            }
            prop_assert_eq!(&merged, &encoded(&expected), "there is one way to write the same sums");
            prop_assert_eq!(decode(&merged).unwrap(), without_zeros(expected));
        }

        #[test]
        fn nothing_else_is_read_or_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = each(Ledger::Sales, &bytes, |_, _| {});
        }

        #[test]
        fn what_was_cut_short_is_damaged(entries in entries(), cut in 1_usize..40) {
            let whole = encoded(&without_zeros(entries));
            let left = &whole[..whole.len().saturating_sub(cut)];
            prop_assert!(left.is_empty() || decode(left).is_err() || whole.starts_with(&encoded(&decode(left).unwrap())));
        }
    }
}
