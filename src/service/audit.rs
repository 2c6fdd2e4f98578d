//! The audit trail: recording what concerns access or money, and reading it.
//!
//! A deed is recorded in the transaction that does it. What was refused has no transaction: it is noted in memory and
//! written a moment later, many notes at once, so that a stranger can neither tell from the time of an answer whether
//! anything was written, nor make this service write at will. How much of it is kept is limited for the same reason.

use super::{
    page::{Page, PageRequest},
    views::{AsText, AuditView},
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        audit::{AuditFilter, Outcome},
        permission::Permission,
    },
    error::{Result, problem},
    store::{
        WriteTx,
        audit::{self, Entry, NewEntry},
    },
};
use serde_json::Value;
use std::{fmt::Display, net::IpAddr, sync::Arc};

/// Records that `actor` did `action` (an operation id) to `target`, in the transaction of the deed. `changes` is an
/// object without secrets.
pub(super) fn record(
    tx: &WriteTx<'_>,
    actor: &Actor,
    action: &'static str,
    target: Option<&dyn Display>,
    changes: &Value,
) -> Result<()> {
    record_as(tx, actor, action, target, (Outcome::Success, changes))
}

/// Records what `actor` tried, in the transaction of what came of it.
pub(super) fn record_as(
    tx: &WriteTx<'_>,
    actor: &Actor,
    action: &'static str,
    target: Option<&dyn Display>,
    (outcome, changes): (Outcome, &Value),
) -> Result<()> {
    audit::append(tx, entry(actor, action, target, outcome, changes))
}

/// What `actor` tried, and how it ended.
pub(super) fn entry(
    actor: &Actor,
    action: &'static str,
    target: Option<&dyn Display>,
    outcome: Outcome,
    changes: &Value,
) -> NewEntry {
    NewEntry {
        actor: actor.principal.to_string(),
        action: action.to_owned(),
        target: target.map(ToString::to_string),
        address: actor.address.as_ref().map(IpAddr::to_string),
        request_id: actor.request_id.to_string(),
        trace: actor.trace,
        outcome,
        changes: changes.to_string(),
    }
}

/// Notes that `actor` was not permitted to do `action`.
pub fn denied(app: &App, actor: &Actor, action: &'static str, code: &str) {
    let note = entry(actor, action, None, Outcome::Denied, &serde_json::json!({"code": code}));
    app.refusals.denied(note, app.clock.now());
}

/// Writes what was noted. What could not be written, for want of room perhaps, is noted still.
pub async fn write_notes(app: &App) -> Result<()> {
    let _in_order = app.refusals.writing().await;
    let notes = Arc::new(app.refusals.take());
    if notes.is_empty() {
        return Ok(());
    }
    let written = Arc::clone(&notes);
    let append = move |tx: &WriteTx<'_>| written.iter().try_for_each(|note| audit::append(tx, note.clone()));
    let outcome = app.store.write("audit.write_notes", append).await;
    // After an unknown outcome they may be written already.
    if outcome.as_ref().is_err_and(|e| !e.is(&problem::OUTCOME_UNKNOWN)) {
        app.refusals.put_back(&notes);
    }
    outcome
}

/// Entries by row, newest first.
pub async fn list(
    app: &App,
    actor: &Actor,
    filter: AuditFilter,
    request: PageRequest<i64>,
) -> Result<Page<AuditView, i64>> {
    actor.require(Permission::AuditRead)?;
    // Reading goes on while nothing can be written; housekeeping tries again, and reports it.
    let _ = write_notes(app).await;
    app.store
        .scan("audit.list", move |tx| {
            let found = audit::page(tx, &filter, request.after, request.limit_and_one())?;
            let found = request.page(found, |entry| entry.seq, || audit::count(tx, &filter))?;
            Ok(found.map(AuditView::from))
        })
        .await
}

impl From<Entry> for AuditView {
    fn from(entry: Entry) -> Self {
        Self {
            id: AsText(entry.id),
            occurred_at: AsText(entry.occurred_at),
            actor: entry.what.actor,
            action: entry.what.action,
            target: entry.what.target,
            address: entry.what.address,
            request_id: entry.what.request_id,
            trace_id: entry.what.trace.map(AsText),
            outcome: AsText(entry.what.outcome),
            // This module wrote it, as an object.
            changes: serde_json::from_str(&entry.what.changes).unwrap_or_default(),
        }
    }
}
