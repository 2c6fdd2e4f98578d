//! Events: appending to the history, and reading it.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, Key, failed, rows},
};
use crate::{
    domain::{
        digest::sha256,
        event::EventType,
        id::{EventId, Identifier, OrderId},
        time::Timestamp,
        trace::TraceId,
    },
    error::Result,
};
use rusqlite::{Row, params};

/// Something that has just happened to an order.
pub struct NewEvent<'a> {
    /// What happened.
    pub kind: EventType,
    /// The order's row.
    pub order_seq: i64,
    /// The order's version from now on.
    pub version: i64,
    /// Who did it.
    pub actor: &'a str,
    /// In which request.
    pub request_id: &'a str,
    /// In which trace, where somebody else knows it too.
    pub trace: Option<TraceId>,
    /// What was answered: a JSON object.
    pub data: &'a str,
}

/// An event as it was recorded.
pub struct Event {
    /// Its place in the history, from 1.
    pub seq: i64,
    /// Its identifier.
    pub id: EventId,
    /// What happened.
    pub kind: EventType,
    /// To which order.
    pub order_id: OrderId,
    /// The order's version from then on.
    pub version: i64,
    /// Who did it.
    pub actor: String,
    /// In which request.
    pub request_id: String,
    /// In which trace, where somebody else knows it too.
    pub trace: Option<TraceId>,
    /// When.
    pub occurred_at: Timestamp,
    /// What was answered then: a JSON object.
    pub data: String,
}

/// Appends to the history and returns the event's place in it.
pub fn append(tx: &WriteTx<'_>, event: &NewEvent<'_>) -> Result<i64> {
    let (id, at) = (tx.new_id::<EventId>(), tx.now());
    let (seq, hash) = tx.with_counters(|counters| {
        counters.event += 1;
        counters.recorded[event.kind as usize] += 1;
        counters.event_hash = chained(&counters.event_hash, counters.event, id, at, event);
        (counters.event, counters.event_hash)
    });
    tx.execute(
        "INSERT INTO events (seq, id, type, order_seq, version, actor, request_id, trace_id, occurred_at, data, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            seq,
            Key(id),
            event.kind.name(),
            event.order_seq,
            event.version,
            event.actor,
            event.request_id,
            event.trace,
            at.millis(),
            event.data,
            hash,
        ],
    )?;
    Ok(seq)
}

/// The hash of an event: over everything in its row and the hash of the event before it.
fn chained(before: &[u8; 32], seq: i64, id: EventId, at: Timestamp, event: &NewEvent<'_>) -> [u8; 32] {
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
    ])
}

const COLUMNS: &str = "e.seq, e.id, e.type, o.id, e.version, e.actor, e.request_id, e.trace_id, e.occurred_at,
     e.data FROM events e JOIN orders o ON o.seq = e.order_seq";

fn read(row: &Row<'_>) -> rusqlite::Result<Event> {
    let mut columns = Columns::of(row);
    Ok(Event {
        seq: columns.take()?,
        id: columns.id()?,
        kind: columns.word(EventType::parse)?,
        order_id: columns.id()?,
        version: columns.take()?,
        actor: columns.take()?,
        request_id: columns.take()?,
        trace: columns.take()?,
        occurred_at: columns.instant()?,
        data: columns.take()?,
    })
}

/// The events of an order after `version`, oldest first.
pub fn of_order(tx: &ReadTx<'_>, order_seq: i64, after_version: i64, limit: usize) -> Result<Vec<Event>> {
    let sql = format!("SELECT {COLUMNS} WHERE e.order_seq = ?1 AND e.version > ?2 ORDER BY e.version LIMIT ?3");
    tx.rows(&sql, (order_seq, after_version, rows(limit)), read)
}

/// The whole history after `seq`, oldest first.
pub fn after(tx: &ReadTx<'_>, seq: i64, limit: usize) -> Result<Vec<Event>> {
    let sql = format!("SELECT {COLUMNS} WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2");
    tx.rows(&sql, (seq, rows(limit)), read)
}

/// The place of the last event; since there are no gaps, also how many there are.
pub fn last(tx: &ReadTx<'_>) -> Result<i64> {
    let last = tx.row("SELECT max(seq) FROM events", [], |row| row.get::<_, Option<i64>>(0))?;
    Ok(last.flatten().unwrap_or(0))
}

/// What was answered when this event happened.
pub fn data(tx: &ReadTx<'_>, seq: i64) -> Result<String> {
    tx.connection
        .prepare_cached("SELECT data FROM events WHERE seq = ?1")
        .and_then(|mut statement| statement.query_row([seq], |row| row.get(0)))
        .map_err(failed)
}

/// The first event that is not as it was written, or is missing; none if the history is whole.
pub fn verify(tx: &ReadTx<'_>) -> Result<Option<i64>> {
    let sql = "SELECT seq, id, type, order_seq, version, actor, request_id, trace_id, occurred_at, data, hash
         FROM events ORDER BY seq";
    let mut statement = tx.connection.prepare(sql).map_err(failed)?;
    let mut found = statement.query([]).map_err(failed)?;
    let (mut seq, mut before) = (0, [0; 32]);
    while let Some(row) = found.next().map_err(failed)? {
        seq += 1;
        // A row that cannot even be read is broken too.
        match rehashed(row, &before) {
            Ok((found, computed, stored)) if found == seq && computed == stored => before = stored,
            _ => return Ok(Some(seq)),
        }
    }
    Ok(None)
}

/// The place of an event, its hash computed anew, and the hash that is stored.
fn rehashed(row: &Row<'_>, before: &[u8; 32]) -> rusqlite::Result<(i64, [u8; 32], [u8; 32])> {
    let mut columns = Columns::of(row);
    let (seq, id, kind) = (columns.take()?, columns.id()?, columns.word(EventType::parse)?);
    let (order_seq, version) = (columns.take()?, columns.take()?);
    let (actor, request_id): (String, String) = (columns.take()?, columns.take()?);
    let (trace, at, data): (_, _, String) = (columns.take()?, columns.instant()?, columns.take()?);
    let event = NewEvent { kind, order_seq, version, actor: &actor, request_id: &request_id, trace, data: &data };
    Ok((seq, chained(before, seq, id, at, &event), columns.take()?))
}
