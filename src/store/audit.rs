//! The audit trail: actions that concern access or money. It is append-only, and each row has a hash over itself and
//! the hash of the row before, so that a later change shows.

mod refusals;

pub use refusals::RefusalBuffer;

use super::{
    ReadTx, WriteTx,
    actors::ActorNames,
    conditions::Conditions,
    personal::{self, Stored},
    sql::{Columns, IdBlob, sql_int, store_error},
    users,
};
use crate::{
    domain::{
        audit::{AuditFilter, AuditOutcome},
        digest::sha256,
        id::{AuditId, Identifier, UserId},
        personal::PersonalRow,
        time::Timestamp,
        trace::TraceId,
    },
    error::{Error, Result},
};
use rusqlite::{Row, named_params, params_from_iter, types::Value as SqlValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use std::borrow::Cow;

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
    /// The user whose address it is, if that is known. It is erased with the user.
    pub address_of: Option<UserId>,
    /// The identifier of the request.
    pub request_id: String,
    /// The trace that the client sent with the request.
    pub trace: Option<TraceId>,
    /// The outcome.
    pub outcome: AuditOutcome,
    /// The changes: a JSON object without secrets and without personal data.
    pub changes: String,
    /// The changes that name a user, a JSON object, and that user. They are erased with the user.
    pub personal_changes: Option<(UserId, String)>,
}

#[cfg(test)]
impl NewEntry {
    /// An entry for tests: `actor` did `action`, and nothing more is known.
    pub fn of(actor: &str, action: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            action: action.to_owned(),
            target: None,
            address: None,
            address_of: None,
            request_id: "req".to_owned(),
            trace: None,
            outcome: AuditOutcome::Success,
            changes: "{}".to_owned(),
            personal_changes: None,
        }
    }
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
    /// The content of the entry, as far as it is not erased. `changes` has all changes.
    pub what: NewEntry,
    address_row: Option<PersonalRow>,
    changes_row: Option<PersonalRow>,
}

/// The address that a request came from.
#[derive(Serialize, Deserialize)]
struct Address<'a> {
    #[serde(borrow)]
    address: Cow<'a, str>,
}

/// An entry of a list, with what its actor is called now; none if the actor is nobody or was erased.
pub type NamedEntry = (Entry, Option<String>);

impl Entry {
    /// The hash of this row, given the hash of the row before.
    fn hash(&self, before: &[u8; 32]) -> [u8; 32] {
        let optional = |text: &Option<String>| text.as_ref().map_or(vec![], |text| [b"=", text.as_bytes()].concat());
        let personal =
            |row: Option<PersonalRow>| row.map_or(vec![], |row| [&row.seq.to_be_bytes()[..], &row.digest].concat());
        sha256(&[
            before,
            &self.seq.to_be_bytes(),
            self.id.bytes(),
            &self.occurred_at.millis().to_be_bytes(),
            self.what.actor.as_bytes(),
            self.what.action.as_bytes(),
            &optional(&self.what.target),
            &personal(self.address_row),
            self.what.request_id.as_bytes(),
            &self.what.trace.map(TraceId::to_bytes).map_or(vec![], Vec::from),
            self.what.outcome.name().as_bytes(),
            self.what.changes.as_bytes(),
            &personal(self.changes_row),
        ])
    }
}

/// Appends an entry to the audit trail.
pub fn append(tx: &WriteTx<'_>, what: NewEntry) -> Result<()> {
    let address_row = match (&what.address, what.address_of) {
        (Some(address), None) => Some(personal::insert(tx, None, &Address { address: address.into() })?),
        // A refusal is written later; its user may have been erased meanwhile.
        (Some(address), Some(user)) => match users::unless_erased(tx, user)? {
            Some(seq) => Some(personal::insert(tx, Some(seq), &Address { address: address.into() })?),
            None => None,
        },
        (None, _) => None,
    };
    let changes_row = match &what.personal_changes {
        Some((user, changes)) => {
            let changes = RawValue::from_string(changes.clone()).map_err(Error::internal)?;
            Some(personal::insert(tx, users::seq(tx, *user)?, &changes)?)
        }
        None => None,
    };
    let (id, occurred_at) = (tx.new_id(), tx.now());
    let (entry, hash) = tx.with_counters(|counters| {
        counters.audit += 1;
        let entry = Entry { seq: counters.audit, id, occurred_at, what, address_row, changes_row };
        counters.audit_hash = entry.hash(&counters.audit_hash);
        (entry, counters.audit_hash)
    });
    tx.execute(
        "INSERT INTO audit (seq, id, occurred_at, actor, action, target, address_seq, details_seq, request_id, trace_id,
           outcome, changes, hash)
         VALUES (:seq, :id, :at, :actor, :action, :target, :address_seq, :details_seq, :request_id, :trace,
           :outcome, :changes, :hash)",
        named_params! {
            ":seq": entry.seq, ":id": IdBlob(entry.id), ":at": entry.occurred_at.millis(), ":actor": entry.what.actor,
            ":action": entry.what.action, ":target": entry.what.target,
            ":address_seq": address_row.map(|row| row.seq), ":details_seq": changes_row.map(|row| row.seq),
            ":request_id": entry.what.request_id, ":trace": entry.what.trace, ":outcome": entry.what.outcome.name(),
            ":changes": entry.what.changes, ":hash": hash,
        },
    )
    .map(drop)
}

const COLUMNS: &str = "a.seq, a.id, a.occurred_at, a.actor, a.action, a.target, a.request_id, a.trace_id, a.outcome,
    a.changes, a.address_seq, p.digest, p.content, a.details_seq, d.digest, d.content";
const TABLE: &str =
    "audit a LEFT JOIN personal p ON p.seq = a.address_seq LEFT JOIN personal d ON d.seq = a.details_seq";

/// Reads an entry without its personal data, which the chain covers by digests.
fn read_impersonal(row: &Row<'_>, columns: &mut Columns<'_, '_>) -> rusqlite::Result<Entry> {
    let mut entry = Entry {
        seq: columns.take()?,
        id: columns.id()?,
        occurred_at: columns.instant()?,
        what: NewEntry {
            actor: columns.take()?,
            action: columns.take()?,
            target: columns.take()?,
            request_id: columns.take()?,
            trace: columns.take()?,
            outcome: columns.parsed(AuditOutcome::parse)?,
            changes: columns.take()?,
            address: None,
            address_of: None,
            personal_changes: None,
        },
        address_row: None,
        changes_row: None,
    };
    let first = columns.position();
    entry.address_row = Stored::read(row, first)?.map(|stored| stored.row);
    entry.changes_row = Stored::read(row, first + 3)?.map(|stored| stored.row);
    Ok(entry)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let mut columns = Columns::of(row);
    let mut entry = read_impersonal(row, &mut columns)?;
    let first = columns.position();
    let address: Option<Address<'_>> = personal::content(row, first + 2)?;
    entry.what.address = address.map(|content| content.address.into_owned());
    if let Some(personal) = personal::content::<Map<String, Value>>(row, first + 5)? {
        let mut changes: Map<String, Value> = personal::parsed(&entry.what.changes, first - 1)?;
        changes.extend(personal);
        entry.what.changes = Value::Object(changes).to_string();
    }
    Ok(entry)
}

/// At most `limit` entries before row `before`, newest first.
pub fn page(tx: &ReadTx<'_>, filter: &AuditFilter, before: Option<i64>, limit: usize) -> Result<Vec<NamedEntry>> {
    let mut conditions = passing(tx, filter)?;
    conditions.and("a.seq < ?", [SqlValue::Integer(before.unwrap_or(i64::MAX))]);
    let sql = format!("SELECT {COLUMNS} FROM {TABLE} WHERE {} ORDER BY a.seq DESC LIMIT ?", conditions.text());
    conditions.values.push(SqlValue::Integer(sql_int(limit)));
    let found = tx.rows(&sql, params_from_iter(conditions.values), read)?;
    let mut names = ActorNames::default();
    let named = |entry: Entry| names.of(tx, &entry.what.actor).map(|name| (entry, name));
    found.into_iter().map(named).collect()
}

/// What was erased, according to the trail: the identifiers of orders and users.
pub fn erased(tx: &ReadTx<'_>) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT target FROM audit
               WHERE action IN ('orders.erase', 'users.erase') AND outcome = 'success' AND target IS NOT NULL";
    tx.rows(sql, [], |row| row.get(0))
}

/// The number of entries that match.
pub fn count(tx: &ReadTx<'_>, filter: &AuditFilter) -> Result<i64> {
    let conditions = passing(tx, filter)?;
    let sql = format!("SELECT count(*) FROM audit a WHERE {}", conditions.text());
    tx.row(&sql, params_from_iter(conditions.values), |row| row.get(0)).map(Option::unwrap_or_default)
}

/// The actor has an index, and so has the action; of both, the index of the actor is used.
fn passing(tx: &ReadTx<'_>, filter: &AuditFilter) -> Result<Conditions> {
    let (first, end) = span(tx, filter)?;
    let mut conditions = Conditions::of("a.seq >= ? AND a.seq < ?", [SqlValue::Integer(first), SqlValue::Integer(end)]);
    let action = if filter.actor.is_some() { "+a.action = ?" } else { "a.action = ?" };
    let words = [
        ("a.actor = ?", filter.actor.clone()),
        (action, filter.action.clone()),
        ("a.target = ?", filter.target.clone()),
        ("a.outcome = ?", filter.outcome.map(|outcome| outcome.name().to_owned())),
    ];
    for (condition, word) in words {
        if let Some(word) = word {
            conditions.and(condition, [SqlValue::Text(word)]);
        }
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
    let sql = format!("SELECT {COLUMNS}, hash FROM {TABLE} ORDER BY a.seq");
    let mut statement = tx.connection.prepare(&sql).map_err(store_error)?;
    let mut found = statement.query([]).map_err(store_error)?;
    let (mut seq, mut before) = (0, [0; 32]);
    while let Some(row) = found.next().map_err(store_error)? {
        seq += 1;
        // A row that cannot be read breaks the chain too.
        let intact = read_impersonal(row, &mut Columns::of(row))
            .ok()
            .filter(|entry| entry.seq == seq)
            .map(|entry| entry.hash(&before));
        match (intact, row.get::<_, [u8; 32]>("hash")) {
            (Some(computed), Ok(stored)) if computed == stored => before = stored,
            _ => return Ok(Some(seq)),
        }
    }
    Ok(None)
}
