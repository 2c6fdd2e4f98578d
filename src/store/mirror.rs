//! The mirror: what of the history a mirror in PostgreSQL lacks, read from the file in parts. A part has the next
//! events and the present rows of the orders that they are about, so that the last part makes the mirror equal to the
//! file. How parts are written there is in `mirror/postgres.rs`, and what its tables are in `mirror/tables.rs`.

mod ddl;
pub mod postgres;
mod rows;
mod tables;

use super::{
    ReadTx,
    events::{self, Event},
    sql::store_error,
};
use crate::{
    domain::{
        digest::{hex, sha256},
        id::{Identifier, UserId},
        listing::Direction,
    },
    error::{Error, Result},
};
use rows::{Cell, Rows};
use std::collections::BTreeMap;
use tables::{CURRENCIES, CUSTOMERS, EVENTS, ORDER_FEES, ORDER_ITEMS, ORDERS, TRANSACTIONS};

/// The most events of a part, and about how many bytes their documents may have.
const MOST_EVENTS: usize = 2_000;
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// The most audit entries of a part.
const MOST_ENTRIES: i64 = 20_000;

/// How far a mirror has come: the last event and the last audit entry that it has, with their hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The number of the event; 0 before the first.
    pub seq: i64,
    /// Its hash in hexadecimal; empty before the first.
    pub hash: String,
    /// The number of the audit entry. The trail tells which users have changed.
    pub audit_seq: i64,
    /// Its hash in hexadecimal.
    pub audit_hash: String,
}

/// What follows a position.
pub enum Next {
    /// This part.
    Part(Box<Part>),
    /// Nothing: the mirror is equal to the file.
    Nothing,
    /// The file does not have what the mirror has: it was replaced by an older copy.
    OtherHistory,
}

/// A part of what a mirror lacks.
pub struct Part {
    /// Rows to insert, or to update where they are there already, in the order in which they refer to each other.
    rows: Vec<Rows>,
    /// The orders in this part. Their items and fees that are not in the rows are deleted.
    orders: Vec<String>,
    /// Users that have changed. Those who never owned an order are in no mirror.
    users: Rows,
    /// Where the mirror stands with this part.
    pub to: Position,
    /// The last event in the file.
    pub last_seq: i64,
}

/// What tells this file and its copies from all others. It says nothing of what it is made of.
pub fn database_id(tx: &ReadTx<'_>) -> Result<String> {
    let key = tx.row("SELECT key FROM email_digest_key", [], |row| row.get::<_, [u8; 32]>(0))?;
    let key = key.ok_or_else(|| Error::internal("the key of the addresses is missing"))?;
    Ok(hex(&sha256(&[b"orderd mirror", &key])[..16]))
}

/// The position of an empty mirror. The rows of users are read with their first order, so earlier changes do not
/// matter.
pub fn start(tx: &ReadTx<'_>) -> Result<Position> {
    let last = tx.row("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", [], |row| {
        Ok((row.get(0)?, hex(&row.get::<_, [u8; 32]>(1)?)))
    })?;
    let (audit_seq, audit_hash) = last.unwrap_or_default();
    Ok(Position { seq: 0, hash: String::new(), audit_seq, audit_hash })
}

/// The part that follows `from`.
pub fn next(tx: &ReadTx<'_>, from: &Position) -> Result<Next> {
    const EVENT_HASH: &str = "SELECT hash FROM events WHERE seq = ?1";
    const ENTRY_HASH: &str = "SELECT hash FROM audit WHERE seq = ?1";
    if hash(tx, EVENT_HASH, from.seq)? != from.hash || hash(tx, ENTRY_HASH, from.audit_seq)? != from.audit_hash {
        return Ok(Next::OtherHistory);
    }
    let events = events::after_within(tx, from.seq, MOST_EVENTS, MOST_BYTES)?;
    let seq = events.last().map_or(from.seq, |event| event.seq);
    let last_entry = tx.row("SELECT max(seq) FROM audit", [], |row| row.get::<_, Option<i64>>(0))?.flatten();
    let audit_seq = last_entry.unwrap_or(0).min(from.audit_seq + MOST_ENTRIES);
    if (seq, audit_seq) == (from.seq, from.audit_seq) {
        return Ok(Next::Nothing);
    }
    let (orders, order_ids) = orders_between(tx, from.seq, seq)?;
    let rows = vec![
        read(tx, &CURRENCIES, &orders)?,
        read(tx, &CUSTOMERS, &orders)?,
        read(tx, &ORDERS, &orders)?,
        read(tx, &ORDER_ITEMS, &orders)?,
        read(tx, &ORDER_FEES, &orders)?,
        read(tx, &TRANSACTIONS, &orders)?,
        rows_of_events(with_erased(tx, from.seq, seq, events)?),
    ];
    let to =
        Position { seq, hash: hash(tx, EVENT_HASH, seq)?, audit_seq, audit_hash: hash(tx, ENTRY_HASH, audit_seq)? };
    let users = changed_users(tx, from.audit_seq, audit_seq)?;
    Ok(Next::Part(Box::new(Part { rows, orders: order_ids, users, to, last_seq: events::last(tx)? })))
}

/// The hash of a row in hexadecimal; empty if there is none.
fn hash(tx: &ReadTx<'_>, sql: &str, seq: i64) -> Result<String> {
    let found = tx.row(sql, [seq], |row| row.get::<_, [u8; 32]>(0))?;
    Ok(found.map_or(String::new(), |hash| hex(&hash)))
}

/// The orders to write with these events: their rows as a JSON array, and their identifiers. An order is written with
/// its first event, since others refer to it, and with its newest one. What is between them comes with the newest,
/// which saves half of a first filling.
fn orders_between(tx: &ReadTx<'_>, after: i64, to: i64) -> Result<(String, Vec<String>)> {
    let sql = "SELECT o.seq, o.id
         FROM (SELECT order_seq, min(version) AS first, max(version) AS last FROM events
           WHERE seq > ?1 AND seq <= ?2 GROUP BY order_seq) e
         CROSS JOIN orders o ON o.seq = e.order_seq WHERE e.first = 1 OR e.last = o.version ORDER BY o.seq";
    let found = tx.rows(sql, (after, to), |row| Ok((row.get::<_, i64>(0)?, rows::order_id(row.get(1)?))))?;
    let (seqs, ids): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    Ok((serde_json::json!(seqs).to_string(), ids))
}

fn read(tx: &ReadTx<'_>, table: &'static tables::Table, orders: &str) -> Result<Rows> {
    let mut rows = Rows::new(table);
    tx.each(table.select, [orders], |row| rows.push(row))?;
    Ok(rows)
}

/// The events, and all earlier ones of orders that were erased among them: what they said of a person is no more.
fn with_erased(tx: &ReadTx<'_>, after: i64, to: i64, events: Vec<Event>) -> Result<BTreeMap<i64, Event>> {
    let sql = "SELECT DISTINCT order_seq FROM events WHERE seq > ?1 AND seq <= ?2 AND type = 'order.erased'";
    let mut all: BTreeMap<_, _> = events.into_iter().map(|event| (event.seq, event)).collect();
    for order in tx.rows(sql, (after, to), |row| row.get::<_, i64>(0))? {
        let history = events::of_order(tx, order, Direction::Ascending, None, usize::MAX)?;
        all.extend(history.into_iter().filter(|event| event.seq <= to).map(|event| (event.seq, event)));
    }
    Ok(all)
}

fn rows_of_events(events: BTreeMap<i64, Event>) -> Rows {
    let mut rows = Rows::new(&EVENTS);
    for event in events.into_values() {
        rows.push_cells([
            Cell::Integer(Some(event.seq)),
            Cell::Text(Some(event.id.to_string())),
            Cell::Text(Some(event.kind.name().to_owned())),
            Cell::Text(Some(event.order_id.to_string())),
            Cell::Integer(Some(event.version)),
            Cell::Text(Some(event.actor)),
            Cell::Text(Some(event.request_id)),
            Cell::Integer(Some(event.occurred_at.millis())),
            Cell::Text(Some(event.data)),
        ]);
    }
    rows
}

/// The users whom the audit entries of this range are about.
fn changed_users(tx: &ReadTx<'_>, after: i64, to: i64) -> Result<Rows> {
    let sql = "SELECT DISTINCT target FROM audit WHERE seq > ?1 AND seq <= ?2 AND target GLOB 'usr_*'";
    let targets = tx.rows(sql, (after, to), |row| row.get::<_, String>(0))?;
    let mut rows = Rows::new(&CUSTOMERS);
    let mut statement = tx.connection.prepare_cached(tables::CUSTOMER).map_err(store_error)?;
    for user in targets.iter().filter_map(|target| UserId::parse(target)) {
        let mut found = statement.query([user.bytes()]).map_err(store_error)?;
        while let Some(row) = found.next().map_err(store_error)? {
            rows.push(row).map_err(store_error)?;
        }
    }
    Ok(rows)
}
