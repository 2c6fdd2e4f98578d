//! Verification of a file: each check recomputes what the rows must agree with and names the first row that does not.
//!
//! SQLite's own check comes first, but it does not notice a changed value in a row; hash chains, sums and the history
//! do. Personal data is compared with its digests. Users, roles, sessions, API keys and idempotency keys have nothing
//! else to be compared with: only SQLite checks them.

mod history;
mod personal;
mod rules;
mod schema;

use super::{ReadTx, audit, events, reconcile};
use crate::error::{Error, Result};
use rules::{RULES, Rule};

pub use super::reconcile::rebuild::{Rebuilt, rebuild};

/// A check and its result.
#[derive(Debug)]
pub struct Check {
    /// The name of the check.
    pub name: &'static str,
    /// The first fault: where it is, what is stored and what was recomputed; none if everything agrees.
    pub fault: Option<String>,
}

/// Every check. The later ones rely on the earlier ones.
pub fn all(tx: &ReadTx<'_>) -> Result<Vec<Check>> {
    let mut checks = rows(tx)?;
    checks.extend(rollups(tx)?);
    Ok(checks)
}

/// The checks that apply to every version of the schema.
pub(super) fn of_any_schema(tx: &ReadTx<'_>) -> Result<Vec<Check>> {
    Ok(vec![check("sqlite", sqlite(tx))?, check("foreign_keys", foreign_keys(tx))?])
}

/// The checks of everything but the rollups.
pub(super) fn rows(tx: &ReadTx<'_>) -> Result<Vec<Check>> {
    let mut checks = vec![
        check("sqlite", sqlite(tx))?,
        check("schema", schema::difference(tx))?,
        check("foreign_keys", foreign_keys(tx))?,
        check("audit_chain", audit::verify(tx).map(|seq| seq.map(broken_link)))?,
        check("event_chain", events::verify(tx).map(|seq| seq.map(broken_link)))?,
    ];
    checks.push(check("personal_data", personal::first_fault(tx))?);
    checks.extend(history::checks(tx)?);
    for rule in RULES {
        checks.push(check(rule.name, first_fault(tx, rule))?);
    }
    Ok(checks)
}

/// The checks of the rollups, and of the sums stored with orders.
pub(super) fn rollups(tx: &ReadTx<'_>) -> Result<Vec<Check>> {
    let mut checks = vec![];
    for (names, compare) in reconcile::groups() {
        match compare(tx) {
            Ok(comparisons) => {
                for comparison in comparisons {
                    checks.push(check(comparison.name, comparison.first_fault(tx))?);
                }
            }
            Err(e) => {
                let fault = unreadable(e)?;
                checks.extend(names.into_iter().map(|name| Check { name, fault: Some(fault.clone()) }));
            }
        }
    }
    Ok(checks)
}

fn check(name: &'static str, found: Result<Option<String>>) -> Result<Check> {
    let fault = found.or_else(|e| unreadable(e).map(Some))?;
    Ok(Check { name, fault })
}

/// An unreadable row is a fault of the file. The checks that follow are made anyway.
fn unreadable(e: Error) -> Result<String> {
    match e.cause() {
        Some(cause) => Ok(format!("cannot be read: {cause}")),
        None => Err(e),
    }
}

fn sqlite(tx: &ReadTx<'_>) -> Result<Option<String>> {
    let found = tx.row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0))?;
    // Some faults are reported in several lines.
    Ok(found.filter(|found| found != "ok").map(|found| found.replace('\n', " ")))
}

fn foreign_keys(tx: &ReadTx<'_>) -> Result<Option<String>> {
    tx.row("PRAGMA foreign_key_check", [], |row| {
        let (table, seq): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(match seq {
            Some(seq) => format!("row {seq} of {table} refers to nothing"),
            None => format!("a row of {table} refers to nothing"),
        })
    })
}

fn broken_link(seq: i64) -> String {
    format!("row {seq} is missing or not as it was written")
}

fn first_fault(tx: &ReadTx<'_>, rule: &Rule) -> Result<Option<String>> {
    tx.row(rule.sql, [], |row| {
        let text = |index| row.get_ref(index).map(text);
        Ok(format!("{} {}, stored {}, recomputed {}", rule.row, text(0)?, text(1)?, text(2)?))
    })
}

fn text(value: rusqlite::types::ValueRef<'_>) -> String {
    match value {
        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
        rusqlite::types::ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => "nothing".to_owned(),
    }
}
