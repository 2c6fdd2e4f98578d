//! The form in which sums are kept: by bucket of time, currency and dimension, in that order, as one run of bytes. It is
//! some ten bytes for a sum over a user's day, and read without a look-up for each.
//!
//! A group for each bucket and currency: the bucket, the three letters of the currency, its entries, and 0. An entry is one
//! more than the distance of its dimension from that of the entry before (the first: from 0), and its values. Numbers are
//! LEB128 (DWARF 5, section 7.6), those that can be negative with the sign in the lowest bit. They have 62 bits at most;
//! a sum beyond that is written in parts, as several entries of its dimension. So no sum is too large, and all of them are
//! read in registers.

use crate::domain::money::Currency;

/// Values that an entry has at most.
pub const WIDEST: usize = 7;

/// The greatest magnitude of a value that is written; what is beyond that is written in parts.
const LARGEST_PART: i128 = 1 << 61;
/// Bytes of a number at most.
const LONGEST: usize = 9;

/// What a dimension comes to in a bucket; values beyond the width of the rollup are 0.
pub type Values = [i128; WIDEST];

/// What an entry says: all that its dimension comes to, or a part of it.
pub type Part = [i64; WIDEST];

/// What is counted, and for whom or what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollup {
    /// Orders and money. There is one dimension, 0.
    Sales,
    /// The same for each user, by `users.seq`; 0 for orders of nobody.
    Users,
    /// Orders by where they stand now: 16 for each status, and within those one for each payment status.
    Statuses,
    /// What was sold of each SKU, by `skus.seq`.
    Items,
}

impl Rollup {
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
pub struct EntryKey {
    /// Whole spans since the epoch: of a quarter of an hour, 32 bits are enough for sixty thousand years.
    pub bucket: i64,
    /// The currency.
    pub currency: Currency,
    /// For whom or what, from 0.
    pub dimension: i64,
}

/// The bytes are none that this program wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged;

/// Writes entries, which come in the order of their keys.
struct Encoder {
    rollup: Rollup,
    bytes: Vec<u8>,
    last: Option<EntryKey>,
}

impl Encoder {
    fn new(rollup: Rollup) -> Self {
        Self { rollup, bytes: vec![], last: None }
    }

    /// Writes what a dimension comes to; nothing if that is nothing.
    fn push(&mut self, key: &EntryKey, values: &Values) {
        let mut left = *values;
        while left != Values::default() {
            let part = left.map(|value| value.clamp(-LARGEST_PART, LARGEST_PART));
            self.push_part(key, &part);
            left.iter_mut().zip(part).for_each(|(value, part)| *value -= part);
        }
    }

    fn push_part(&mut self, key: &EntryKey, part: &Values) {
        let group = |key: &EntryKey| (key.bucket, key.currency);
        let before = match &self.last {
            Some(last) if group(last) == group(key) => last.dimension,
            last => {
                if last.is_some() {
                    self.bytes.push(0);
                }
                write_signed(&mut self.bytes, key.bucket.into());
                self.bytes.extend_from_slice(key.currency.code().as_bytes());
                0
            }
        };
        write(&mut self.bytes, (key.dimension - before).unsigned_abs() + 1);
        part[..self.rollup.width()].iter().for_each(|value| write_signed(&mut self.bytes, *value));
        self.last = Some(*key);
    }

    /// The bytes; none for no entries.
    fn finish(mut self) -> Vec<u8> {
        if self.last.is_some() {
            self.bytes.push(0);
        }
        self.bytes
    }
}

/// The bytes of entries, which come in the order of their keys.
pub(super) fn encode<'e>(rollup: Rollup, entries: impl IntoIterator<Item = (&'e EntryKey, &'e Values)>) -> Vec<u8> {
    let mut encoder = Encoder::new(rollup);
    for (key, values) in entries {
        encoder.push(key, values);
    }
    encoder.finish()
}

/// Shows `visit` each entry of these bytes.
pub(super) fn each(rollup: Rollup, bytes: &[u8], visit: impl FnMut(&EntryKey, &Part)) -> Result<(), Damaged> {
    // With the width known when it is compiled, reading an entry is straight on.
    match rollup {
        Rollup::Sales => read_all::<{ Rollup::Sales.width() }>(bytes, visit),
        Rollup::Users => read_all::<{ Rollup::Users.width() }>(bytes, visit),
        Rollup::Statuses => read_all::<{ Rollup::Statuses.width() }>(bytes, visit),
        Rollup::Items => read_all::<{ Rollup::Items.width() }>(bytes, visit),
    }
}

fn read_all<const WIDTH: usize>(mut bytes: &[u8], mut visit: impl FnMut(&EntryKey, &Part)) -> Result<(), Damaged> {
    let mut part = Part::default();
    while !bytes.is_empty() {
        let bucket = i32::try_from(read_signed(&mut bytes)?).map_err(|_| Damaged)?.into();
        let (code, rest) = bytes.split_at_checked(3).ok_or(Damaged)?;
        let currency = std::str::from_utf8(code).ok().and_then(Currency::stored).ok_or(Damaged)?;
        bytes = rest;
        let mut key = EntryKey { bucket, currency, dimension: 0 };
        while let Some(distance) = read(&mut bytes)?.checked_sub(1) {
            key.dimension += i64::from(u32::try_from(distance).map_err(|_| Damaged)?);
            for value in &mut part[..WIDTH] {
                *value = read_signed(&mut bytes)?;
            }
            visit(&key, &part);
        }
    }
    Ok(())
}

/// `bytes` with these sums added, which come in the order of their keys.
pub(super) fn merge<'e>(
    rollup: Rollup,
    bytes: &[u8],
    sums: impl Iterator<Item = (&'e EntryKey, &'e Values)>,
) -> Result<Vec<u8>, Damaged> {
    let mut merged = Encoder::new(rollup);
    let mut sums = sums.peekable();
    let mut push = |key: &EntryKey, values: &Values| {
        while let Some((earlier, values)) = sums.next_if(|(other, _)| *other < key) {
            merged.push(earlier, values);
        }
        match sums.next_if(|(other, _)| *other == key) {
            Some((_, more)) => merged.push(key, &std::array::from_fn(|i| values[i] + more[i])),
            None => merged.push(key, values),
        }
    };
    let mut last: Option<(EntryKey, Values)> = None;
    each(rollup, bytes, |key, part| match &mut last {
        Some((same, values)) if same == key => add(values, part),
        _ => {
            if let Some((key, values)) = last.replace((*key, part.map(i128::from))) {
                push(&key, &values);
            }
        }
    })?;
    if let Some((key, values)) = last {
        push(&key, &values);
    }
    sums.for_each(|(key, values)| merged.push(key, values));
    Ok(merged.finish())
}

/// Adds what an entry says.
pub(super) fn add(values: &mut Values, part: &Part) {
    values.iter_mut().zip(part).for_each(|(value, part)| *value += i128::from(*part));
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Writes a number of at most 62 bits and a sign.
fn write_signed(bytes: &mut Vec<u8>, number: i128) {
    let number = ((number << 1) ^ (number >> 127)).cast_unsigned();
    write(bytes, u64::try_from(number).unwrap_or(u64::MAX));
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "a report reads a million numbers")]
fn read(bytes: &mut &[u8]) -> Result<u64, Damaged> {
    let mut number = 0;
    let mut shift = 0;
    let mut left = *bytes;
    while let [byte, rest @ ..] = left
        && shift < 7 * LONGEST
    {
        left = rest;
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if *byte < 0x80 {
            *bytes = left;
            return Ok(number);
        }
    }
    Err(Damaged)
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "like `read`")]
fn read_signed(bytes: &mut &[u8]) -> Result<i64, Damaged> {
    let number = read(bytes)?;
    Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::btree_map, prelude::*};
    use std::collections::BTreeMap;

    type Entries = BTreeMap<EntryKey, Values>;

    fn entries() -> impl Strategy<Value = Entries> {
        let currency = prop_oneof![Just("EUR"), Just("JPY"), Just("KWD")];
        let key = (-5_i64..5, currency, prop_oneof![0_i64..9, Just(i64::from(u32::MAX))]).prop_map(
            |(bucket, code, dimension)| EntryKey { bucket, currency: Currency::stored(code).unwrap(), dimension },
        );
        let value = prop_oneof![-3_i128..3, any::<i64>().prop_map(i128::from), Just(1 << 64), Just(-1 << 64)];
        btree_map(key, [value.clone(), value].prop_map(|[a, b]| [a, b, 0, 0, 0, 0, 0]), 0..20)
    }

    fn encoded(entries: &Entries) -> Vec<u8> {
        encode(Rollup::Statuses, entries)
    }

    fn decode(bytes: &[u8]) -> Result<Entries, Damaged> {
        let mut found = Entries::new();
        each(Rollup::Statuses, bytes, |key, part| add(found.entry(*key).or_default(), part))?;
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
            let merged = merge(Rollup::Statuses, &encoded(&first), second.iter()).unwrap();
            let mut expected = first;
            for (key, values) in second {
                let sums = expected.entry(key).or_default();
                *sums = std::array::from_fn(|i| sums[i] + values[i]);
            }
            prop_assert_eq!(&merged, &encoded(&expected), "there is one way to write the same sums");
            prop_assert_eq!(decode(&merged).unwrap(), without_zeros(expected));
        }

        #[test]
        fn nothing_else_is_read_or_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = each(Rollup::Sales, &bytes, |_, _| {});
        }

        #[test]
        fn what_was_cut_short_is_damaged(entries in entries(), cut in 1_usize..40) {
            let whole = encoded(&without_zeros(entries));
            let left = &whole[..whole.len().saturating_sub(cut)];
            prop_assert!(left.is_empty() || decode(left).is_err() || whole.starts_with(&encoded(&decode(left).unwrap())));
        }
    }
}
