//! The audit trail: appending to it.

use super::{WriteTx, sql::Key};
use crate::{
    domain::{
        digest::sha256,
        id::{AuditId, Identifier},
    },
    error::Result,
};
use rusqlite::named_params;

/// How an audited action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried and failed.
    Failure,
    /// It was not permitted.
    Denied,
}

impl Outcome {
    /// As clients and the database write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }
}

/// An action that concerns access or money.
pub struct NewEntry<'a> {
    /// Who acted.
    pub actor: &'a str,
    /// What was done: an operation id.
    pub action: &'a str,
    /// To what: an identifier or a name.
    pub target: Option<&'a str>,
    /// From which address.
    pub address: Option<&'a str>,
    /// In which request.
    pub request_id: &'a str,
    /// How it ended.
    pub outcome: Outcome,
    /// What changed: a JSON object without secrets.
    pub changes: &'a str,
}

/// Appends to the audit trail.
pub fn append(tx: &WriteTx<'_>, entry: &NewEntry<'_>) -> Result<()> {
    let (id, at) = (tx.new_id::<AuditId>(), tx.now());
    let (seq, hash) = tx.with_counters(|counters| {
        counters.audit += 1;
        counters.audit_hash = sha256(&[
            &counters.audit_hash,
            &counters.audit.to_be_bytes(),
            id.bytes(),
            &at.millis().to_be_bytes(),
            entry.actor.as_bytes(),
            entry.action.as_bytes(),
            entry.target.unwrap_or_default().as_bytes(),
            entry.address.unwrap_or_default().as_bytes(),
            entry.request_id.as_bytes(),
            entry.outcome.name().as_bytes(),
            entry.changes.as_bytes(),
        ]);
        (counters.audit, counters.audit_hash)
    });
    tx.execute(
        "INSERT INTO audit (seq, id, occurred_at, actor, action, target, address, request_id, outcome, changes, hash)
         VALUES (:seq, :id, :at, :actor, :action, :target, :address, :request_id, :outcome, :changes, :hash)",
        named_params! {
            ":seq": seq, ":id": Key(id), ":at": at.millis(), ":actor": entry.actor, ":action": entry.action,
            ":target": entry.target, ":address": entry.address, ":request_id": entry.request_id,
            ":outcome": entry.outcome.name(), ":changes": entry.changes, ":hash": hash,
        },
    )
    .map(drop)
}
