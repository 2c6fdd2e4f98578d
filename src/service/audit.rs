//! Recording what concerns access or money.

use crate::{
    auth::Actor,
    error::Result,
    store::{
        WriteTx,
        audit::{self, NewEntry, Outcome},
    },
};

/// What was done.
pub(super) struct Deed<'a> {
    /// The operation.
    pub(super) action: &'static str,
    /// To what.
    pub(super) target: Option<&'a str>,
    /// How it ended.
    pub(super) outcome: Outcome,
}

/// Records that `actor` did this, in the transaction of the deed. `changes` holds no secrets.
pub(super) fn record(tx: &WriteTx<'_>, actor: &Actor, deed: &Deed<'_>, changes: &serde_json::Value) -> Result<()> {
    let address = actor.address.map(|address| address.to_string());
    audit::append(
        tx,
        &NewEntry {
            actor: &actor.principal.to_string(),
            action: deed.action,
            target: deed.target,
            address: address.as_deref(),
            request_id: &actor.request_id,
            outcome: deed.outcome,
            changes: &changes.to_string(),
        },
    )
}
