//! The audit trail: recording actions that concern access or money, and reading them.
//!
//! An action is recorded in the transaction that carries it out. A refused request has no transaction: its entry is
//! kept in memory and written a moment later, together with others. So the time of a response does not show whether an
//! entry was written, and a stranger cannot make this service write at will. The number of such entries in memory is
//! limited for the same reason.

use super::{
    page::{Page, PageRequest},
    views::{AsText, AuditView},
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        audit::{AuditFilter, AuditOutcome},
        id::UserId,
        permission::Permission,
    },
    error::{Result, problem},
    store::{
        WriteTx,
        audit::{self, NamedEntry, NewEntry},
    },
};
use serde_json::Value;
use std::{fmt::Display, net::IpAddr, sync::Arc};

/// Records that `actor` carried out `action` (an operation id) on `target`, in the same transaction. `changes` is a
/// JSON object without secrets.
pub(super) fn record(
    tx: &WriteTx<'_>,
    actor: &Actor,
    action: &'static str,
    target: Option<&dyn Display>,
    changes: &Value,
) -> Result<()> {
    record_as(tx, actor, action, target, AuditOutcome::Success, changes)
}

/// [`record`] for an action on a user. `personal` are the changes that name the user: they are erased with the user.
pub(super) fn record_of_user(
    tx: &WriteTx<'_>,
    actor: &Actor,
    action: &'static str,
    user: UserId,
    changes: &Value,
    personal: &Value,
) -> Result<()> {
    let mut entry = entry(actor, action, Some(&user), AuditOutcome::Success, changes);
    if personal.as_object().is_some_and(|personal| !personal.is_empty()) {
        entry.personal_changes = Some((user, personal.to_string()));
    }
    audit::append(tx, entry)
}

/// [`record`] with another outcome.
pub(super) fn record_as(
    tx: &WriteTx<'_>,
    actor: &Actor,
    action: &'static str,
    target: Option<&dyn Display>,
    outcome: AuditOutcome,
    changes: &Value,
) -> Result<()> {
    audit::append(tx, entry(actor, action, target, outcome, changes))
}

pub(super) fn entry(
    actor: &Actor,
    action: &'static str,
    target: Option<&dyn Display>,
    outcome: AuditOutcome,
    changes: &Value,
) -> NewEntry {
    NewEntry {
        actor: actor.principal.to_string(),
        action: action.to_owned(),
        target: target.map(ToString::to_string),
        address: actor.address.as_ref().map(IpAddr::to_string),
        address_of: actor.responsible(),
        request_id: actor.request_id.to_string(),
        trace: actor.trace,
        outcome,
        changes: changes.to_string(),
        personal_changes: None,
    }
}

/// Records that `actor` was sent all of `list` (an operation id). Of the filter the trail has the names only, since
/// their values may be addresses of customers.
pub async fn exported(
    app: &App,
    actor: Actor,
    list: &'static str,
    format: &'static str,
    parameters: Vec<String>,
) -> Result<()> {
    let action = format!("{}.export", list.strip_suffix(".list").unwrap_or(list));
    let changes = serde_json::json!({"format": format, "parameters": parameters});
    let note = NewEntry { action, ..entry(&actor, list, None, AuditOutcome::Success, &changes) };
    app.store.write("audit.export", move |tx| audit::append(tx, note.clone())).await
}

/// Keeps in memory that `actor` was refused `action` with the problem `code`. The entry is written later.
pub fn denied(app: &App, actor: &Actor, action: &'static str, code: &str) {
    let entry = entry(actor, action, None, AuditOutcome::Denied, &serde_json::json!({"code": code}));
    app.refusals.denied(entry, app.clock.now());
}

/// Writes the entries that are kept in memory. If that fails, for lack of space perhaps, they stay in memory.
pub async fn write_refusals(app: &App) -> Result<()> {
    let _in_order = app.refusals.writing().await;
    let entries = Arc::new(app.refusals.take());
    if entries.is_empty() {
        return Ok(());
    }
    let written = Arc::clone(&entries);
    let append = move |tx: &WriteTx<'_>| written.iter().try_for_each(|entry| audit::append(tx, entry.clone()));
    let outcome = app.store.write("audit.write_refusals", append).await;
    // If the outcome is unknown they may be on disk, and must not be written twice.
    if outcome.as_ref().is_err_and(|e| !e.is(&problem::OUTCOME_UNKNOWN)) {
        app.refusals.put_back(&entries);
    }
    outcome
}

/// A page of the entries that pass `filter`, newest first, keyed by row.
///
/// # Errors
/// `FORBIDDEN` without `audit:read`.
pub async fn list(
    app: &App,
    actor: &Actor,
    filter: AuditFilter,
    request: PageRequest<i64>,
) -> Result<Page<AuditView, i64>> {
    actor.require(Permission::AuditRead)?;
    // A failure must not prevent reading. Housekeeping tries again and reports it.
    let _ = write_refusals(app).await;
    app.store
        .scan("audit.list", move |tx| {
            let found = audit::page(tx, &filter, request.after, request.limit_and_one())?;
            let found = request.page(found, |(entry, _)| entry.seq, || audit::count(tx, &filter))?;
            Ok(found.map(AuditView::from))
        })
        .await
}

impl From<NamedEntry> for AuditView {
    fn from((entry, actor_name): NamedEntry) -> Self {
        Self {
            id: AsText(entry.id),
            occurred_at: AsText(entry.occurred_at),
            actor: entry.what.actor,
            actor_name,
            action: entry.what.action,
            target: entry.what.target,
            address: entry.what.address,
            request_id: entry.what.request_id,
            trace_id: entry.what.trace.map(AsText),
            outcome: AsText(entry.what.outcome),
            // `entry` wrote it, as a JSON object.
            changes: serde_json::from_str(&entry.what.changes).unwrap_or_default(),
        }
    }
}
