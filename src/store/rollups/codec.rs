//! The encoding of sums as bytes, ordered by bucket, currency and dimension. A user's sums of one day take some ten
//! bytes, and a bucket is decoded in one pass without a look-up for each entry.
//!
//! Each bucket and currency is a group: the bucket, the three letters of the currency, its entries, and 0. An entry is
//! the distance of its dimension from that of the entry before (of the first: from 0) plus one, and then its values.
//! Numbers are LEB128 (DWARF 5, section 7.6); signed ones have the sign in the lowest bit. Numbers have 62 bits at
//! most: a larger sum is written as several entries of the same dimension. So no sum is too large, and each number is
//! decoded in a register.

use crate::domain::money::Currency;

/// The number of values in an entry of the widest rollup.
pub const MAX_VALUES: usize = 10;

/// The largest magnitude of a value in one entry. A larger value is split into several entries.
const LARGEST_PART: i128 = 1 << 61;
/// The longest encoding of a number, in bytes.
const MAX_VARINT_BYTES: usize = 9;

/// The sums of a dimension in a bucket. Values beyond the width of the rollup are 0.
pub type Values = [i128; MAX_VALUES];

/// The values of one encoded entry: the whole sums of its dimension, or a part of them.
pub type Part = [i64; MAX_VALUES];

/// A set of sums, and what they are broken down by besides time and currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollup {
    /// Orders and money. The only dimension is 0.
    Sales,
    /// Orders and money by user. The dimension is `users.seq`, or 0 for orders without a user.
    Users,
    /// Orders by their current status and payment status.
    Statuses,
    /// Items sold, by SKU. The dimension is `skus.seq`.
    Items,
    /// Net amounts and taxes, by tax rate. The dimension is the rate in ten-thousandths of a percent plus one, or 0 for
    /// items and fees without a rate.
    Taxes,
}

/// The number of values in each entry of [`Rollup::Users`]: the most of a rollup with more than one dimension.
pub(super) const USERS_WIDTH: usize = 6;

impl Rollup {
    /// Every rollup. The order is stored: it numbers the rollups in `rollups.key`.
    pub const ALL: [Self; 5] = [Self::Sales, Self::Users, Self::Statuses, Self::Items, Self::Taxes];

    /// The name in the database: its column of `rollup_log` and its row of `rollup_folds`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sales => "sales",
            Self::Users => "users",
            Self::Statuses => "statuses",
            Self::Items => "items",
            Self::Taxes => "taxes",
        }
    }

    /// The number of values in each entry.
    pub const fn width(self) -> usize {
        match self {
            Self::Sales => 10,
            Self::Users => USERS_WIDTH,
            Self::Statuses | Self::Taxes => 2,
            Self::Items => 3,
        }
    }
}

/// What identifies an entry. The order of the fields is the order of the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryKey {
    /// Whole spans since the epoch. In quarters of an hour, 32 bits last for sixty thousand years.
    pub bucket: i64,
    /// The currency.
    pub currency: Currency,
    /// The user, SKU, tax rate or pair of statuses, from 0.
    pub dimension: i64,
}

/// The bytes are not an encoding of sums.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged;

/// Encodes entries that come in the order of their keys.
struct Encoder {
    rollup: Rollup,
    bytes: Vec<u8>,
    last: Option<EntryKey>,
}

impl Encoder {
    fn new(rollup: Rollup) -> Self {
        Self { rollup, bytes: vec![], last: None }
    }

    /// Writes the sums of a dimension. All zeros write nothing.
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
        write_varint(&mut self.bytes, (key.dimension - before).unsigned_abs() + 1);
        part[..self.rollup.width()].iter().for_each(|value| write_signed(&mut self.bytes, *value));
        self.last = Some(*key);
    }

    /// The encoded bytes; empty without entries.
    fn finish(mut self) -> Vec<u8> {
        if self.last.is_some() {
            self.bytes.push(0);
        }
        self.bytes
    }
}

/// Encodes entries that come in the order of their keys.
pub(super) fn encode<'e>(rollup: Rollup, entries: impl IntoIterator<Item = (&'e EntryKey, &'e Values)>) -> Vec<u8> {
    let mut encoder = Encoder::new(rollup);
    for (key, values) in entries {
        encoder.push(key, values);
    }
    encoder.finish()
}

/// Decodes `bytes` and calls `visit` with each entry.
pub(super) fn each(rollup: Rollup, bytes: &[u8], visit: impl FnMut(&EntryKey, &Part)) -> Result<(), Damaged> {
    // A width known at compile time lets the compiler unroll the decoding of an entry.
    match rollup {
        Rollup::Sales => decode::<{ Rollup::Sales.width() }>(bytes, visit),
        Rollup::Users => decode::<{ Rollup::Users.width() }>(bytes, visit),
        Rollup::Statuses => decode::<{ Rollup::Statuses.width() }>(bytes, visit),
        Rollup::Items => decode::<{ Rollup::Items.width() }>(bytes, visit),
        Rollup::Taxes => decode::<{ Rollup::Taxes.width() }>(bytes, visit),
    }
}

fn decode<const WIDTH: usize>(mut bytes: &[u8], mut visit: impl FnMut(&EntryKey, &Part)) -> Result<(), Damaged> {
    let mut part = Part::default();
    while !bytes.is_empty() {
        let bucket = i32::try_from(read_signed(&mut bytes)?).map_err(|_| Damaged)?.into();
        let (code, rest) = bytes.split_at_checked(3).ok_or(Damaged)?;
        let currency = std::str::from_utf8(code).ok().and_then(Currency::stored).ok_or(Damaged)?;
        bytes = rest;
        let mut key = EntryKey { bucket, currency, dimension: 0 };
        while let Some(distance) = read_varint(&mut bytes)?.checked_sub(1) {
            key.dimension += i64::from(u32::try_from(distance).map_err(|_| Damaged)?);
            for value in &mut part[..WIDTH] {
                *value = read_signed(&mut bytes)?;
            }
            visit(&key, &part);
        }
    }
    Ok(())
}

/// Adds `sums`, which come in the order of their keys, to the encoded sums in `bytes`.
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

/// Adds the values of an entry.
pub(super) fn add(values: &mut Values, part: &Part) {
    values.iter_mut().zip(part).for_each(|(value, part)| *value += i128::from(*part));
}

fn write_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Writes a number of at most 62 bits and its sign.
fn write_signed(bytes: &mut Vec<u8>, number: i128) {
    let number = ((number << 1) ^ (number >> 127)).cast_unsigned();
    write_varint(bytes, u64::try_from(number).unwrap_or(u64::MAX));
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "a report decodes a million numbers")]
fn read_varint(bytes: &mut &[u8]) -> Result<u64, Damaged> {
    let mut number = 0;
    let mut shift = 0;
    let mut left = *bytes;
    while let [byte, rest @ ..] = left
        && shift < 7 * MAX_VARINT_BYTES
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
#[allow(clippy::inline_always, reason = "as for `read_varint`")]
fn read_signed(bytes: &mut &[u8]) -> Result<i64, Damaged> {
    let number = read_varint(bytes)?;
    Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}

#[cfg(test)]
mod tests;
