//! Which keys may be stored: filters in memory, so that a key that was never seen costs no look-up in the file.
//!
//! A filter (Bloom) covers a segment of keys, and never says no for a key of it. Filters fill as keys are stored. After
//! a start the segments of earlier keys are read as keys are asked for, a few at a time, so that a start takes no
//! longer for them; a segment that was not read yet is searched in the file.

use super::{BLOCK_BITS, Digest, key_block_bits};
use crate::{
    error::Result,
    store::{ReadTx, sql::store_error},
};
use std::{collections::BTreeMap, ops::RangeInclusive};

/// Keys of a segment, as a power of two: whole blocks.
const SEGMENT_BITS: u32 = 14;
/// Bits of a filter, as a power of two: 16 for each key of the segment.
const FILTER_BITS: u32 = SEGMENT_BITS + 4;
/// Bits that each key sets. With all keys of a segment in it, a filter is wrong for one key of 1,700.
const PROBES: u64 = 8;
/// Bits of a word of a filter, as a power of two.
const WORD_BITS: u32 = u64::BITS.trailing_zeros();
/// Segments that are read for one request: some 4 ms each.
const READ_AT_ONCE: usize = 4;

/// The filters.
#[derive(Default)]
pub(in crate::store) struct SeenKeys {
    filters: BTreeMap<i64, Filter>,
    /// The first key in the file, once it is known.
    first: Option<i64>,
}

impl SeenKeys {
    /// The blocks that may have a key, the newest first. The last key stored is number `last`.
    pub(super) fn blocks(&mut self, tx: &ReadTx<'_>, digest: &Digest, last: i64) -> Result<Vec<i64>> {
        let Some(first) = self.first(tx)? else { return Ok(vec![]) };
        self.read_filters(tx, first, last)?;
        let segments = segment(first)..=segment(last);
        let may_have = |segment: &i64| self.filters.get(segment).is_none_or(|filter| filter.may_have(digest));
        Ok(segments.rev().filter(may_have).flat_map(|segment| blocks_of(segment).rev()).collect())
    }

    /// Notes that a key was stored as number `seq`.
    pub(super) fn add(&mut self, seq: i64, digest: &Digest) {
        let is_first = self.first.is_none();
        self.first.get_or_insert(seq);
        if is_first || seq % (1 << SEGMENT_BITS) == 0 {
            self.filters.entry(segment(seq)).or_default();
        }
        // A segment that was not read yet is read with this key.
        if let Some(filter) = self.filters.get_mut(&segment(seq)) {
            filter.add(digest);
        }
    }

    /// Notes that the oldest keys were deleted.
    pub(super) fn pruned(&mut self, tx: &ReadTx<'_>) -> Result<()> {
        self.first = None;
        let first = self.first(tx)?.unwrap_or(i64::MAX);
        self.filters.retain(|number, _| *number >= segment(first));
        Ok(())
    }

    /// Notes the keys that another process has stored after number `last`, and that it may have deleted old ones.
    pub(in crate::store) fn follow(&mut self, tx: &ReadTx<'_>, last: i64) -> Result<()> {
        // `add` takes a key for the first in the file as long as `first` is none.
        self.first(tx)?;
        let sql = "SELECT seq, digest FROM idempotency_keys WHERE seq > ?1";
        for (seq, digest) in tx.rows(sql, [last], |row| Ok((row.get(0)?, row.get::<_, Digest>(1)?)))? {
            self.add(seq, &digest);
        }
        self.pruned(tx)
    }

    fn first(&mut self, tx: &ReadTx<'_>) -> Result<Option<i64>> {
        if self.first.is_none() {
            self.first = tx.row("SELECT min(seq) FROM idempotency_keys", [], |row| row.get(0))?.flatten();
        }
        Ok(self.first)
    }

    fn read_filters(&mut self, tx: &ReadTx<'_>, first: i64, last: i64) -> Result<()> {
        let missing = (segment(first)..=segment(last)).rev().filter(|number| !self.filters.contains_key(number));
        for number in missing.take(READ_AT_ONCE).collect::<Vec<_>>() {
            self.filters.insert(number, Filter::read(tx, &blocks_of(number))?);
        }
        Ok(())
    }
}

fn segment(seq: i64) -> i64 {
    seq >> SEGMENT_BITS
}

fn blocks_of(segment: i64) -> RangeInclusive<i64> {
    let bits = SEGMENT_BITS - BLOCK_BITS;
    segment << bits..=((segment + 1) << bits) - 1
}

struct Filter(Vec<u64>);

impl Default for Filter {
    fn default() -> Self {
        Self(vec![0; 1 << (FILTER_BITS - WORD_BITS)])
    }
}

impl Filter {
    fn read(tx: &ReadTx<'_>, blocks: &RangeInclusive<i64>) -> Result<Self> {
        let sql = concat!("SELECT digest FROM idempotency_keys WHERE seq >> ", key_block_bits!(), " BETWEEN ?1 AND ?2");
        let mut filter = Self::default();
        let mut statement = tx.connection.prepare_cached(sql).map_err(store_error)?;
        let mut rows = statement.query((blocks.start(), blocks.end())).map_err(store_error)?;
        while let Some(row) = rows.next().map_err(store_error)? {
            filter.add(&row.get(0).map_err(store_error)?);
        }
        Ok(filter)
    }

    fn add(&mut self, digest: &Digest) {
        for (word, bit) in places(digest) {
            self.0[word] |= bit;
        }
    }

    fn may_have(&self, digest: &Digest) -> bool {
        places(digest).all(|(word, bit)| self.0[word] & bit != 0)
    }
}

/// The words and bits of a key in a filter. The bytes of a digest are random, so sums of two halves of it are, too
/// (Kirsch and Mitzenmacher, "Less hashing, same performance").
fn places(digest: &Digest) -> impl Iterator<Item = (usize, u64)> {
    let (halves, _) = digest.as_chunks::<8>();
    let (start, step) = (u64::from_be_bytes(halves[0]), u64::from_be_bytes(halves[1]) | 1);
    (0..PROBES).map(move |probe| {
        let place = start.wrapping_add(step.wrapping_mul(probe)) >> (u64::BITS - FILTER_BITS);
        (usize::try_from(place >> WORD_BITS).unwrap_or_default(), 1 << (place & (u64::from(u64::BITS) - 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::digest::sha256, store::schema::SCHEMA};
    use rusqlite::Connection;

    fn digest(number: u32) -> Digest {
        std::array::from_fn(|at| sha256(&[&number.to_be_bytes()])[at])
    }

    #[test]
    fn a_full_filter_knows_its_keys_and_few_others() {
        let mut filter = Filter::default();
        (0..1 << SEGMENT_BITS).for_each(|number| filter.add(&digest(number)));
        assert!((0..1 << SEGMENT_BITS).all(|number| filter.may_have(&digest(number))));
        let wrong = (0..50_000).filter(|number| filter.may_have(&digest(1_000_000 + number))).count();
        assert!(wrong < 100, "{wrong} of 50,000");
    }

    #[test]
    fn segments_are_whole_blocks() {
        assert_eq!(blocks_of(0), 0..=31);
        assert_eq!(blocks_of(1).start() << BLOCK_BITS, 1 << SEGMENT_BITS);
    }

    /// The blocks of every 500th key of a file with these keys, as filters that have not read it yet find them.
    fn found(connection: &Connection, numbers: std::ops::Range<u32>) -> Vec<(u32, Vec<i64>)> {
        let tx = ReadTx { connection };
        let last = tx.row("SELECT max(seq) FROM idempotency_keys", [], |row| row.get(0)).unwrap().unwrap();
        let mut seen = SeenKeys::default();
        numbers.step_by(500).map(|number| (number, seen.blocks(&tx, &digest(number), last).unwrap())).collect()
    }

    #[test]
    fn keys_are_found_in_all_segments_and_unknown_keys_in_none() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let keys = 6 << SEGMENT_BITS;
        let insert = "INSERT INTO idempotency_keys
            (seq, digest, fingerprint, method, path, outcome, body, request_id, created_at)
          VALUES (?1, ?2, x'', 'POST', '/', 'changed', '{}', '', 0)";
        {
            let transaction = connection.unchecked_transaction().unwrap();
            let mut statement = transaction.prepare(insert).unwrap();
            for number in 1..=keys {
                statement.execute((number, digest(number))).unwrap();
            }
            drop(statement);
            transaction.commit().unwrap();
        }
        for (number, blocks) in found(&connection, 1..keys) {
            assert!(blocks.contains(&(i64::from(number) >> BLOCK_BITS)), "{number}");
        }
        // The first of them are asked for before all filters are read.
        let unknown = found(&connection, keys + 1..2 * keys);
        assert!(unknown.iter().skip(1).filter(|(_, blocks)| !blocks.is_empty()).count() < 5, "{unknown:?}");

        let (tx, mut seen) = (ReadTx { connection: &connection }, SeenKeys::default());
        let newest = i64::from(keys) + 1;
        assert!(seen.blocks(&tx, &digest(1), i64::from(keys)).unwrap().contains(&0));
        seen.add(newest, &digest(keys + 1));
        assert_eq!(seen.blocks(&tx, &digest(keys + 1), newest).unwrap().first(), Some(&(newest >> BLOCK_BITS | 31)));
        connection.execute("DELETE FROM idempotency_keys WHERE seq < ?1", [keys]).unwrap();
        seen.pruned(&tx).unwrap();
        assert_eq!(seen.blocks(&tx, &digest(1), newest).unwrap(), [0; 0]);
    }
}
