//! An entry of the journal: what one transaction has written, as bytes, both ways.
//!
//! It ends in the SHA-256 of all before it, which names it: the next entry contains that of the one before. So damage,
//! a lost entry and another history are all found when an entry is read.

use super::{
    bytes::{Reader, put_bytes, put_int, put_uint},
    facts,
};
use crate::{
    domain::{access::Fact, digest::sha256_of},
    store::rollups::COLUMNS,
};
use rusqlite::types::ValueRef;

/// The version of the form below.
const FORMAT: u8 = 1;
const DIGEST_BYTES: usize = 32;

/// The SHA-256 of an entry or of the text of a statement.
pub(in crate::store) type Digest = [u8; DIGEST_BYTES];

/// The last numbers given, and the ends of both hash chains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Heads {
    /// The latest time of any transaction, in milliseconds since the epoch.
    pub(in crate::store) time: i64,
    pub(in crate::store) order: i64,
    pub(in crate::store) number: i64,
    pub(in crate::store) transaction: i64,
    pub(in crate::store) event: i64,
    pub(in crate::store) event_hash: Digest,
    pub(in crate::store) audit: i64,
    pub(in crate::store) audit_hash: Digest,
    pub(in crate::store) personal: i64,
    pub(in crate::store) key: i64,
}

/// The statements of a transaction as they were bound, one after another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Statements {
    /// For each: the index of its text, the number of its values, and the values.
    pub(in crate::store) bytes: Vec<u8>,
    pub(in crate::store) count: usize,
}

/// What one transaction has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Entry {
    /// The number of the entry: one more than that of the entry before.
    pub(in crate::store) seq: i64,
    /// The version of the schema that the statements are for. The first entry with a new version is the step to it, and
    /// has no statements.
    pub(in crate::store) schema: i64,
    /// The process that wrote it.
    pub(in crate::store) writer: [u8; 16],
    /// The entry before, or the snapshot that the journal began with.
    pub(in crate::store) before: Digest,
    /// The numbers and chains after the entry.
    pub(in crate::store) heads: Heads,
    /// The texts of the statements.
    pub(in crate::store) texts: Vec<Digest>,
    pub(in crate::store) statements: Statements,
    /// The row of the log of the rollups, if the transaction has changed them. Sums are not in an entry: each process
    /// folds its own log.
    pub(in crate::store) rollups: Option<[Vec<u8>; COLUMNS]>,
    /// What processes keep in memory and have to learn.
    pub(in crate::store) facts: Vec<Fact>,
}

/// A statement of an entry.
pub(in crate::store) struct Statement<'e> {
    /// The index of its text in [`Entry::texts`].
    pub(in crate::store) text: usize,
    pub(in crate::store) values: Vec<ValueRef<'e>>,
}

/// The bytes of an entry are damaged, or of another program.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Damaged;

impl Entry {
    /// The entry as bytes. The last 32 of them are its digest.
    pub(in crate::store) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.statements.bytes.len() + 1024);
        out.push(FORMAT);
        put_int(&mut out, self.seq);
        put_int(&mut out, self.schema);
        out.extend(self.writer);
        out.extend(self.before);
        self.heads.put(&mut out);
        put_uint(&mut out, self.texts.len() as u64);
        self.texts.iter().for_each(|text| out.extend(text));
        put_uint(&mut out, self.statements.count as u64);
        put_bytes(&mut out, &self.statements.bytes);
        out.push(u8::from(self.rollups.is_some()));
        self.rollups.iter().flatten().for_each(|column| put_bytes(&mut out, column));
        put_uint(&mut out, self.facts.len() as u64);
        self.facts.iter().for_each(|fact| facts::put(&mut out, fact));
        let digest = sha256_of(&out);
        out.extend(digest);
        out
    }

    /// Reads an entry. All of it is checked, so that its statements can be read without a fault.
    pub(in crate::store) fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let (content, stored) = bytes.split_last_chunk::<DIGEST_BYTES>().ok_or(Damaged)?;
        if sha256_of(content) != *stored {
            return Err(Damaged);
        }
        let mut from = Reader::new(content);
        let entry = Self::take(&mut from).filter(|_| from.is_at_end()).ok_or(Damaged)?;
        let mut statements = entry.statements();
        if statements.by_ref().take(entry.statements.count).count() != entry.statements.count || !statements.is_over() {
            return Err(Damaged);
        }
        Ok(entry)
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        if from.byte()? != FORMAT {
            return None;
        }
        let (seq, schema, writer, before) = (from.int()?, from.int()?, from.array()?, from.array()?);
        let heads = Heads::take(from)?;
        let texts = (0..from.count()?).map(|_| from.array()).collect::<Option<_>>()?;
        let count = usize::try_from(from.uint()?).ok()?;
        let statements = Statements { bytes: from.bytes()?.to_vec(), count };
        let rollups = match from.byte()? {
            0 => None,
            1 => {
                let mut columns = [const { vec![] }; COLUMNS];
                for column in &mut columns {
                    *column = from.bytes()?.to_vec();
                }
                Some(columns)
            }
            _ => return None,
        };
        let facts = (0..from.count()?).map(|_| facts::take(from)).collect::<Option<_>>()?;
        Some(Self { seq, schema, writer, before, heads, texts, statements, rollups, facts })
    }

    /// The statements in their order.
    pub(in crate::store) fn statements(&self) -> EachStatement<'_> {
        EachStatement { from: Reader::new(&self.statements.bytes), texts: self.texts.len() }
    }
}

/// The statements of an entry, one after another.
pub(in crate::store) struct EachStatement<'e> {
    from: Reader<'e>,
    texts: usize,
}

impl EachStatement<'_> {
    fn is_over(&self) -> bool {
        self.from.is_at_end()
    }
}

impl<'e> Iterator for EachStatement<'e> {
    type Item = Statement<'e>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = usize::try_from(self.from.uint()?).ok().filter(|text| *text < self.texts)?;
        let values = (0..self.from.count()?).map(|_| self.from.value()).collect::<Option<_>>()?;
        Some(Statement { text, values })
    }
}

impl Heads {
    fn put(&self, out: &mut Vec<u8>) {
        let Self { time, order, number, transaction, event, audit, personal, key, .. } = *self;
        let numbers = [time, order, number, transaction, event, audit, personal, key];
        for number in numbers {
            put_int(out, number);
        }
        out.extend(self.event_hash);
        out.extend(self.audit_hash);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            time: from.int()?,
            order: from.int()?,
            number: from.int()?,
            transaction: from.int()?,
            event: from.int()?,
            audit: from.int()?,
            personal: from.int()?,
            key: from.int()?,
            event_hash: from.array()?,
            audit_hash: from.array()?,
        })
    }
}

/// The digest of an entry that was encoded; zeros if there are fewer bytes than that.
pub(in crate::store) fn digest_of(encoded: &[u8]) -> Digest {
    encoded.last_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
