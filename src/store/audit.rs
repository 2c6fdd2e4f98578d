//! The audit trail: actions that concern access or money. It is append-only, and each row has a hash over itself and
//! the hash of the row before, so that a later change shows.

mod refusals;

pub use refusals::RefusalBuffer;

use super::{
    ReadTx, WriteTx,
    actors::ActorNames,
    conditions::Conditions,
    sql::{Columns, IdBlob, sql_int, store_error},
};
use crate::{
    domain::{
        audit::{AuditFilter, AuditOutcome},
        digest::sha256,
        id::{AuditId, Identifier},
        time::Timestamp,
        trace::TraceId,
    },
    error::Result,
};
use rusqlite::{Row, named_params, params_from_iter, types::Value};

/// An entry to append.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// The user or API key that acted, or `system` or `anonymous`.
    pub actor: String,
    /// The action: an operation id.
    pub action: String,
    /// The identifier or name of the object of the action.
    pub target: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// The identifier of the request.
    pub request_id: String,
    /// The trace that the client sent with the request.
    pub trace: Option<TraceId>,
    /// The outcome.
    pub outcome: AuditOutcome,
    /// The changes: a JSON object without secrets.
    pub changes: String,
}

/// A recorded entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The number of the entry in the trail, from 1 and without gaps.
    pub seq: i64,
    /// The entry's identifier.
    pub id: AuditId,
    /// The time of recording.
    pub occurred_at: Timestamp,
    /// The content of the entry.
    pub what: NewEntry,
}

/// An entry of a list, with what its actor is called now; none if the actor is nobody or was erased.
pub type NamedEntry = (Entry, Option<String>);

impl Entry {
    /// The hash of this row, given the hash of the row before.
    fn hash(&self, before: &[u8; 32]) -> [u8; 32] {
        let optional = |text: &Option<String>| text.as_ref().map_or(vec![], |text| [b"=", text.as_bytes()].concat());
        sha256(&[
            before,
            &self.seq.to_be_bytes(),
            self.id.bytes(),
            &self.occurred_at.millis().to_be_bytes(),
            self.what.actor.as_bytes(),
            self.what.action.as_bytes(),
            &optional(&self.what.target),
            &optional(&self.what.address),
            self.what.request_id.as_bytes(),
            &self.what.trace.map(TraceId::to_bytes).map_or(vec![], Vec::from),
            self.what.outcome.name().as_bytes(),
            self.what.changes.as_bytes(),
        ])
    }
}

/// Appends an entry to the audit trail.
pub fn append(tx: &WriteTx<'_>, what: NewEntry) -> Result<()> {
    let (id, occurred_at) = (tx.new_id(), tx.now());
    let (entry, hash) = tx.with_counters(|counters| {
        counters.audit += 1;
        let entry = Entry { seq: counters.audit, id, occurred_at, what };
        counters.audit_hash = entry.hash(&counters.audit_hash);
        (entry, counters.audit_hash)
    });
    tx.execute(
        "INSERT INTO audit
           (seq, id, occurred_at, actor, action, target, address, request_id, trace_id, outcome, changes, hash)
         VALUES (:seq, :id, :at, :actor, :action, :target, :address, :request_id, :trace, :outcome, :changes, :hash)",
        named_params! {
            ":seq": entry.seq, ":id": IdBlob(entry.id), ":at": entry.occurred_at.millis(), ":actor": entry.what.actor,
            ":action": entry.what.action, ":target": entry.what.target, ":address": entry.what.address,
            ":request_id": entry.what.request_id, ":trace": entry.what.trace, ":outcome": entry.what.outcome.name(),
            ":changes": entry.what.changes, ":hash": hash,
        },
    )
    .map(drop)
}

const COLUMNS: &str = "seq, id, occurred_at, actor, action, target, address, request_id, trace_id, outcome, changes";

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let mut columns = Columns::of(row);
    Ok(Entry {
        seq: columns.take()?,
        id: columns.id()?,
        occurred_at: columns.instant()?,
        what: NewEntry {
            actor: columns.take()?,
            action: columns.take()?,
            target: columns.take()?,
            address: columns.take()?,
            request_id: columns.take()?,
            trace: columns.take()?,
            outcome: columns.parsed(AuditOutcome::parse)?,
            changes: columns.take()?,
        },
    })
}

/// At most `limit` entries before row `before`, newest first.
pub fn page(tx: &ReadTx<'_>, filter: &AuditFilter, before: Option<i64>, limit: usize) -> Result<Vec<NamedEntry>> {
    let mut conditions = passing(tx, filter)?;
    conditions.and("seq < ?", [Value::Integer(before.unwrap_or(i64::MAX))]);
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE {} ORDER BY seq DESC LIMIT ?", conditions.text());
    conditions.values.push(Value::Integer(sql_int(limit)));
    let found = tx.rows(&sql, params_from_iter(conditions.values), read)?;
    let mut names = ActorNames::default();
    let named = |entry: Entry| names.of(tx, &entry.what.actor).map(|name| (entry, name));
    found.into_iter().map(named).collect()
}

/// The number of entries that match.
pub fn count(tx: &ReadTx<'_>, filter: &AuditFilter) -> Result<i64> {
    let conditions = passing(tx, filter)?;
    let sql = format!("SELECT count(*) FROM audit WHERE {}", conditions.text());
    tx.row(&sql, params_from_iter(conditions.values), |row| row.get(0)).map(Option::unwrap_or_default)
}

/// The actor has an index, and so has the action; of both, the index of the actor is used.
fn passing(tx: &ReadTx<'_>, filter: &AuditFilter) -> Result<Conditions> {
    let (first, end) = span(tx, filter)?;
    let mut conditions = Conditions::of("seq >= ? AND seq < ?", [Value::Integer(first), Value::Integer(end)]);
    let action = if filter.actor.is_some() { "+action = ?" } else { "action = ?" };
    let words = [
        ("actor = ?", filter.actor.clone()),
        (action, filter.action.clone()),
        ("target = ?", filter.target.clone()),
        ("outcome = ?", filter.outcome.map(|outcome| outcome.name().to_owned())),
    ];
    for (condition, word) in words {
        word.into_iter().for_each(|word| conditions.and(condition, [Value::Text(word)]));
    }
    Ok(conditions)
}

/// The first row in the filter's range of time, and the first row after it.
fn span(tx: &ReadTx<'_>, filter: &AuditFilter) -> Result<(i64, i64)> {
    let first = filter.from.map_or(Ok(0), |from| since(tx, from))?;
    let end = filter.to.map_or(Ok(i64::MAX), |to| since(tx, to))?;
    Ok((first, end))
}

/// The first row recorded at `at` or later; one past the last row if there is none.
fn since(tx: &ReadTx<'_>, at: Timestamp) -> Result<i64> {
    let last = tx.row("SELECT max(seq) FROM audit", [], |row| row.get::<_, Option<i64>>(0))?.flatten().unwrap_or(0);
    tx.first_since("SELECT occurred_at FROM audit WHERE seq = ?1", at, last + 1)
}

/// The number of the first row that was changed or is missing; none if the chain is intact.
pub fn verify(tx: &ReadTx<'_>) -> Result<Option<i64>> {
    let sql = format!("SELECT {COLUMNS}, hash FROM audit ORDER BY seq");
    let mut statement = tx.connection.prepare(&sql).map_err(store_error)?;
    let mut found = statement.query([]).map_err(store_error)?;
    let (mut seq, mut before) = (0, [0; 32]);
    while let Some(row) = found.next().map_err(store_error)? {
        seq += 1;
        // A row that cannot be read breaks the chain too.
        let intact = read(row).ok().filter(|entry| entry.seq == seq).map(|entry| entry.hash(&before));
        match (intact, row.get::<_, [u8; 32]>("hash")) {
            (Some(computed), Ok(stored)) if computed == stored => before = stored,
            _ => return Ok(Some(seq)),
        }
    }
    Ok(None)
}
