//! Idempotency keys: for each request that took effect, the key and the response.

mod seen;

pub(super) use seen::SeenKeys;

use super::{
    ReadTx, WriteTx, events, personal,
    sql::{Columns, sql_int},
};
use crate::{
    domain::{
        digest::sha256,
        outcome::{Outcome, Resource},
        time::Timestamp,
    },
    error::Result,
};
use rusqlite::params;

/// A request that took effect, and its response.
#[derive(Clone, Debug)]
pub struct StoredResponse {
    /// The keyed digest of method, path and body.
    pub fingerprint: [u8; 32],
    /// The HTTP method.
    pub method: String,
    /// The path of the request.
    pub path: String,
    /// What the request did.
    pub outcome: Outcome,
    /// The version of the order in the body, if the body shows an order.
    pub version: Option<i64>,
    /// The body of the response.
    pub body: ResponseBody,
    /// The identifier of the request.
    pub request_id: String,
    /// When the request took effect.
    pub created_at: Timestamp,
}

/// Where the body of a response is stored.
#[derive(Clone, Debug)]
pub enum ResponseBody {
    /// It is the document of the event with this number.
    Event(i64),
    /// It is stored with the key, with `null` for the personal data in this row.
    Text(String, Option<i64>),
    /// There is none.
    Absent,
}

/// Keys in a block of `idempotency_keys_by_digest`, as a power of two. A macro, because SQL texts are made from it at
/// compile time.
macro_rules! key_block_bits {
    () => {
        9
    };
}
use key_block_bits;
const BLOCK_BITS: u32 = key_block_bits!();

/// What stands for a principal and a key.
type Digest = [u8; 16];

fn digest(principal: &[u8], key: &str) -> Digest {
    // Keys contain no NUL, so that no two pairs are the same bytes.
    let whole = sha256(&[key.as_bytes(), &[0], principal]);
    std::array::from_fn(|index| whole[index])
}

/// The response stored under `key` of `principal` at `since` or later, for a request that is about to take effect.
pub fn find(tx: &WriteTx<'_>, principal: &[u8], key: &str, since: Timestamp) -> Result<Option<StoredResponse>> {
    let digest = digest(principal, key);
    let last = tx.with_counters(|counters| counters.key);
    let blocks = tx.with_seen_keys(|seen| seen.blocks(tx, &digest, last))?;
    find_in(tx, blocks, &digest, since)
}

/// The response stored under `key` of `principal` at `since` or later.
pub fn look_up(tx: &ReadTx<'_>, principal: &[u8], key: &str, since: Timestamp) -> Result<Option<StoredResponse>> {
    let sql = "SELECT (SELECT min(seq) FROM idempotency_keys), (SELECT max(seq) FROM idempotency_keys)";
    let ends = tx.row(sql, [], |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?)))?;
    let Some((first, last)) = ends.flatten() else { return Ok(None) };
    find_in(tx, (first >> BLOCK_BITS..=last >> BLOCK_BITS).rev(), &digest(principal, key), since)
}

fn find_in(
    tx: &ReadTx<'_>,
    blocks: impl IntoIterator<Item = i64>,
    digest: &Digest,
    since: Timestamp,
) -> Result<Option<StoredResponse>> {
    for block in blocks {
        if let Some(found) = in_block(tx, block, digest, since)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn in_block(tx: &ReadTx<'_>, block: i64, digest: &Digest, since: Timestamp) -> Result<Option<StoredResponse>> {
    let sql = concat!(
        "SELECT k.fingerprint, k.method, k.path, k.resource, k.outcome, k.version, k.event_seq, k.body, k.personal_seq,
           coalesce(k.request_id, e.request_id), k.created_at
         FROM idempotency_keys k LEFT JOIN events e ON e.seq = k.event_seq
         WHERE k.seq >> ",
        key_block_bits!(),
        " = ?1 AND k.digest = ?2 AND k.created_at >= ?3 ORDER BY k.seq DESC LIMIT 1"
    );
    tx.row(sql, (block, digest, since.millis()), |row| {
        let mut columns = Columns::of(row);
        let (fingerprint, method, path) = (columns.take()?, columns.take()?, columns.take()?);
        let resource = columns.take::<Option<String>>()?.as_deref().and_then(Resource::parse);
        Ok(StoredResponse {
            fingerprint,
            method,
            path,
            outcome: columns.parsed(|name| Outcome::parse(name, resource))?,
            version: columns.take()?,
            body: match (columns.take::<Option<i64>>()?, columns.take::<Option<String>>()?, columns.take()?) {
                (Some(event), ..) => ResponseBody::Event(event),
                (None, Some(body), personal) => ResponseBody::Text(body, personal),
                (None, None, _) => ResponseBody::Absent,
            },
            request_id: columns.take()?,
            created_at: columns.instant()?,
        })
    })
}

/// The body of a response, as far as it is not erased.
pub fn body(tx: &ReadTx<'_>, body: ResponseBody) -> Result<Option<String>> {
    match body {
        ResponseBody::Event(seq) => events::data(tx, seq).map(Some),
        ResponseBody::Text(body, None) => Ok(Some(body)),
        ResponseBody::Text(body, Some(row)) => personal::merged_with(tx, &body, row).map(Some),
        ResponseBody::Absent => Ok(None),
    }
}

/// Stores the response of the request with `key`, in the transaction of its effect. No response is stored under it,
/// unless that has expired.
pub fn insert(tx: &WriteTx<'_>, principal: &[u8], key: &str, response: &StoredResponse) -> Result<()> {
    let (event, body, personal) = match &response.body {
        ResponseBody::Event(seq) => (Some(*seq), None, None),
        ResponseBody::Text(body, personal) => (None, Some(body), *personal),
        ResponseBody::Absent => (None, None, None),
    };
    // The event has it already.
    let request_id = event.is_none().then_some(&response.request_id);
    let digest = digest(principal, key);
    let seq = tx.with_counters(|counters| {
        counters.key += 1;
        counters.key
    });
    tx.execute(
        "INSERT INTO idempotency_keys
           (seq, digest, fingerprint, method, path, resource, outcome, version, event_seq, body, personal_seq,
            request_id, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            seq,
            digest,
            response.fingerprint,
            response.method,
            response.path,
            response.outcome.resource().map(|resource| resource.to_string()),
            response.outcome.name(),
            response.version,
            event,
            body,
            personal,
            request_id,
            response.created_at.millis(),
        ],
    )?;
    tx.with_seen_keys(|seen| seen.add(seq, &digest));
    Ok(())
}

/// Deletes at most `limit` keys older than `before`, the oldest first, and returns how many.
pub fn prune(tx: &WriteTx<'_>, before: Timestamp, limit: usize) -> Result<usize> {
    let deleted = tx.execute(
        "DELETE FROM idempotency_keys WHERE seq IN
           (SELECT seq FROM (SELECT seq, created_at FROM idempotency_keys ORDER BY seq LIMIT ?2) WHERE created_at < ?1)",
        (before.millis(), sql_int(limit)),
    )?;
    tx.with_seen_keys(|seen| seen.pruned(tx))?;
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::SCHEMA;

    #[test]
    fn the_schema_has_the_same_block_size() {
        assert_eq!(SCHEMA.matches(&format!("idempotency_keys (seq >> {BLOCK_BITS}, digest)")).count(), 1);
    }
}
