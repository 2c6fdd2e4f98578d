//! Events: the append-only history of orders, chained by hashes.

pub mod codec;
pub(super) mod document;

use super::{
    ReadTx, WriteTx,
    actors::ActorNames,
    sql::{Columns, IdBlob, sql_int, store_error},
};
use crate::{
    domain::{
        digest::sha256,
        event::EventType,
        id::{EventId, Identifier, OrderId},
        listing::Direction,
        personal::{DIGEST_BYTES, PersonalRow},
        time::Timestamp,
        trace::TraceId,
    },
    error::{Error, Result},
};
use codec::Context;
use document::{DOCUMENT_COLUMNS, document, document_columns, whole_document};
use rusqlite::{Row, params};

/// The version of an order after its first event.
const FIRST: i64 = 1;

/// An event to append.
pub struct NewEvent<'a> {
    /// The type of the event.
    pub kind: EventType,
    /// The row of the order, and its identifier.
    pub order_seq: i64,
    #[allow(missing_docs, reason = "see above")]
    pub order_id: OrderId,
    /// The order's version after the event.
    pub version: i64,
    /// The user or API key that acted, or `system`.
    pub actor: &'a str,
    /// The identifier of the request.
    pub request_id: &'a str,
    /// The trace that the client sent with the request.
    pub trace: Option<TraceId>,
    /// The document that was answered, a JSON object, with `null` for personal data.
    pub data: &'a str,
    /// What replaces `null`.
    pub personal: Option<PersonalRow>,
}

/// A recorded event.
pub struct Event {
    /// The number of the event in the history, from 1 and without gaps.
    pub seq: i64,
    /// The event's identifier.
    pub id: EventId,
    /// The type of the event.
    pub kind: EventType,
    /// The order.
    pub order_id: OrderId,
    /// Its present number; a draft has none.
    pub order_number: Option<i64>,
    /// The order's version after the event.
    pub version: i64,
    /// The user or API key that acted, or `system`.
    pub actor: String,
    /// What the actor is called now; none if it was erased.
    pub actor_name: Option<String>,
    /// The identifier of the request.
    pub request_id: String,
    /// The trace that the client sent with the request.
    pub trace: Option<TraceId>,
    /// The time of the event.
    pub occurred_at: Timestamp,
    /// The document that was answered, a JSON object, as far as it is not erased.
    pub data: String,
}

/// Appends an event to the history and returns its number.
pub fn append(tx: &WriteTx<'_>, event: &NewEvent<'_>) -> Result<i64> {
    let (id, at) = (tx.new_id::<EventId>(), tx.now());
    let (seq, hash) = tx.with_counters(|counters| {
        counters.event += 1;
        counters.events_by_type[event.kind as usize] += 1;
        counters.event_hash = chain_hash(&counters.event_hash, counters.event, id, at, event);
        (counters.event, counters.event_hash)
    });
    tx.execute(
        "INSERT INTO events (seq, id, kind, order_seq, version, actor, request_id, trace_id, occurred_at, data,
           personal_seq, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            seq,
            IdBlob(id),
            event.kind as i64,
            event.order_seq,
            event.version,
            event.actor,
            event.request_id,
            event.trace,
            at.millis(),
            encoded(tx, event, at)?,
            event.personal.map(|row| row.seq),
            hash,
        ],
    )?;
    Ok(seq)
}

fn encoded(tx: &ReadTx<'_>, event: &NewEvent<'_>, at: Timestamp) -> Result<String> {
    let context = Context::new(event.order_id, at, event.actor);
    // Documents of transactions have other members than the order's first one.
    if event.version == FIRST || !event.kind.shows_order() {
        return Ok(codec::encode(event.data, &context, None));
    }
    let sql = "SELECT data, occurred_at, actor FROM events WHERE order_seq = ?1 AND version = ?2";
    let first = tx.row(sql, (event.order_seq, FIRST), |row| {
        let first = Context::new(event.order_id, Timestamp::from_millis(row.get(1)?), row.get_ref(2)?.as_str()?);
        let mut text = String::new();
        Ok(codec::decode(&mut text, row.get_ref(0)?.as_str()?, &first, None).map(|()| text))
    })?;
    let first = first.flatten().ok_or_else(|| Error::internal("the first event of an order cannot be read"))?;
    Ok(codec::encode(event.data, &context, Some(&first)))
}

/// The hash of an event, over every column of its row, the digest of the personal data and the hash of the event
/// before.
fn chain_hash(before: &[u8; 32], seq: i64, id: EventId, at: Timestamp, event: &NewEvent<'_>) -> [u8; 32] {
    sha256(&[
        before,
        &seq.to_be_bytes(),
        id.bytes(),
        event.kind.name().as_bytes(),
        &event.order_seq.to_be_bytes(),
        &event.version.to_be_bytes(),
        event.actor.as_bytes(),
        event.request_id.as_bytes(),
        &event.trace.map(TraceId::to_bytes).map_or(vec![], Vec::from),
        &at.millis().to_be_bytes(),
        event.data.as_bytes(),
        &event.personal.map_or(vec![], |row| [&row.seq.to_be_bytes()[..], &row.digest].concat()),
    ])
}

const COLUMNS: &str = concat!(
    "e.seq, e.id, e.type, o.id, o.number, e.version, e.actor, e.request_id, e.trace_id, e.occurred_at, ",
    document_columns!(),
    ", e.personal_seq, p.digest, p.content FROM events e JOIN orders o ON o.seq = e.order_seq
     JOIN events f ON f.order_seq = e.order_seq AND f.version = 1 LEFT JOIN personal p ON p.seq = e.personal_seq"
);

fn read(row: &Row<'_>) -> rusqlite::Result<Event> {
    let mut columns = Columns::of(row);
    let mut event = Event {
        seq: columns.take()?,
        id: columns.id()?,
        kind: columns.parsed(EventType::parse)?,
        order_id: columns.id()?,
        order_number: columns.take()?,
        version: columns.take()?,
        actor: columns.take()?,
        actor_name: None,
        request_id: columns.take()?,
        trace: columns.take()?,
        occurred_at: columns.instant()?,
        data: String::new(),
    };
    event.data = whole_document(row, columns.position())?;
    Ok(event)
}

/// The events of an order beyond `version`, or from the first one on in this direction.
pub fn of_order(
    tx: &ReadTx<'_>,
    order_seq: i64,
    direction: Direction,
    beyond: Option<i64>,
    limit: usize,
) -> Result<Vec<Event>> {
    let sql = match direction {
        Direction::Ascending => {
            format!("SELECT {COLUMNS} WHERE e.order_seq = ?1 AND e.version > ?2 ORDER BY e.version LIMIT ?3")
        }
        Direction::Descending => {
            format!("SELECT {COLUMNS} WHERE e.order_seq = ?1 AND e.version < ?2 ORDER BY e.version DESC LIMIT ?3")
        }
    };
    let beyond = beyond.unwrap_or(before_all(direction));
    with_names(tx, tx.rows(&sql, (order_seq, beyond, sql_int(limit)), read)?)
}

/// The events beyond number `seq`, or from the first one on in this direction.
pub fn page(tx: &ReadTx<'_>, direction: Direction, beyond: Option<i64>, limit: usize) -> Result<Vec<Event>> {
    let sql = match direction {
        Direction::Ascending => format!("SELECT {COLUMNS} WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2"),
        Direction::Descending => format!("SELECT {COLUMNS} WHERE e.seq < ?1 ORDER BY e.seq DESC LIMIT ?2"),
    };
    let beyond = beyond.unwrap_or(before_all(direction));
    with_names(tx, tx.rows(&sql, (beyond, sql_int(limit)), read)?)
}

/// The number that comes before all numbers of events in this direction.
const fn before_all(direction: Direction) -> i64 {
    match direction {
        Direction::Ascending => 0,
        Direction::Descending => i64::MAX,
    }
}

fn with_names(tx: &ReadTx<'_>, mut events: Vec<Event>) -> Result<Vec<Event>> {
    let mut names = ActorNames::default();
    for event in &mut events {
        event.actor_name = names.of(tx, &event.actor)?;
    }
    Ok(events)
}

/// The events after number `seq`, oldest first: at most `limit`, and none behind the one with which the documents
/// exceed `bytes`.
pub fn after_within(tx: &ReadTx<'_>, seq: i64, limit: usize, bytes: usize) -> Result<Vec<Event>> {
    let sql = format!("SELECT {COLUMNS} WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2");
    let mut statement = tx.connection.prepare_cached(&sql).map_err(store_error)?;
    let mut rows = statement.query((seq, sql_int(limit))).map_err(store_error)?;
    let (mut found, mut taken) = (vec![], 0);
    while taken <= bytes
        && let Some(row) = rows.next().map_err(store_error)?
    {
        let event = read(row).map_err(store_error)?;
        taken += event.data.len();
        found.push(event);
    }
    with_names(tx, found)
}

/// Whether an order has the event that says that it was erased.
pub fn has_erasure(tx: &ReadTx<'_>, order_seq: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM events WHERE order_seq = ?1 AND type = 'order.erased' LIMIT 1";
    tx.row(sql, [order_seq], |_| Ok(())).map(|found| found.is_some())
}

/// The number of the last event. Since there are no gaps, it is also the number of events.
pub fn last(tx: &ReadTx<'_>) -> Result<i64> {
    let last = tx.row("SELECT max(seq) FROM events", [], |row| row.get::<_, Option<i64>>(0))?;
    Ok(last.flatten().unwrap_or(0))
}

/// The document of an event, as far as it is not erased.
pub fn data(tx: &ReadTx<'_>, seq: i64) -> Result<String> {
    let sql = concat!(
        "SELECT ",
        document_columns!(),
        ", e.personal_seq, p.digest, p.content FROM events e JOIN orders o ON o.seq = e.order_seq
         JOIN events f ON f.order_seq = e.order_seq AND f.version = 1
         LEFT JOIN personal p ON p.seq = e.personal_seq WHERE e.seq = ?1"
    );
    tx.row(sql, [seq], |row| whole_document(row, 0))?.ok_or_else(|| Error::internal("an event is missing"))
}

/// The number of the first event that was changed or is missing; none if the chain is intact. What is erased is covered
/// by its digest.
pub fn verify(tx: &ReadTx<'_>) -> Result<Option<i64>> {
    let sql = concat!(
        "SELECT e.seq, e.id, e.type, e.order_seq, e.version, e.actor, e.request_id, e.trace_id, e.occurred_at, ",
        document_columns!(),
        ", e.personal_seq, p.digest, e.hash FROM events e LEFT JOIN orders o ON o.seq = e.order_seq
         LEFT JOIN events f ON f.order_seq = e.order_seq AND f.version = 1
         LEFT JOIN personal p ON p.seq = e.personal_seq ORDER BY e.seq"
    );
    let mut statement = tx.connection.prepare(sql).map_err(store_error)?;
    let mut found = statement.query([]).map_err(store_error)?;
    let (mut seq, mut before) = (0, [0; 32]);
    while let Some(row) = found.next().map_err(store_error)? {
        seq += 1;
        // A row that cannot be read breaks the chain too.
        match rehashed(row, &before) {
            Ok((found, computed, stored)) if found == seq && computed == stored => before = stored,
            _ => return Ok(Some(seq)),
        }
    }
    Ok(None)
}

/// The number of an event, its recomputed hash, and its stored hash.
fn rehashed(row: &Row<'_>, before: &[u8; 32]) -> rusqlite::Result<(i64, [u8; 32], [u8; 32])> {
    let mut columns = Columns::of(row);
    let (seq, id, kind) = (columns.take()?, columns.id()?, columns.parsed(EventType::parse)?);
    let (order_seq, version) = (columns.take()?, columns.take()?);
    let (actor, request_id): (String, String) = (columns.take()?, columns.take()?);
    let (trace, at) = (columns.take()?, columns.instant()?);
    let data = document(row, columns.position())?;
    columns.skip(DOCUMENT_COLUMNS - 1);
    let order_id = columns.id()?;
    let personal = columns.take::<Option<i64>>()?;
    let personal = match (personal, columns.take::<Option<_>>()?) {
        (Some(seq), Some(digest)) => Some(PersonalRow { seq, digest }),
        // Another digest than any that was written: the row is missing.
        (Some(seq), None) => Some(PersonalRow { seq, digest: [0; DIGEST_BYTES] }),
        (None, _) => None,
    };
    let (actor, request_id, data) = (actor.as_str(), request_id.as_str(), data.as_str());
    let event = NewEvent { kind, order_seq, order_id, version, actor, request_id, trace, data, personal };
    Ok((seq, chain_hash(before, seq, id, at, &event), columns.take()?))
}
