//! Erasing the personal data of an order: from its rows, its events and the answers stored for repeated requests. All
//! of them refer to the same places.

use super::record;
use crate::{
    auth::Actor,
    domain::{event::EventType, order::Order},
    error::Result,
    store::{WriteTx, events, orders, personal},
};

/// Erases customer, note and reasons of an order, and records the event. Returns false if nothing was left since it was
/// erased before.
pub(in crate::service) fn erase(tx: &WriteTx<'_>, actor: &Actor, before: &Order) -> Result<bool> {
    let erased = personal::erase_of_order(tx, before.seq)?;
    if erased == 0 && events::has_erasure(tx, before.seq)? {
        return Ok(false);
    }
    let mut after = Order {
        customer: None,
        note: None,
        cancel_reason: None,
        version: before.version + 1,
        updated_at: tx.now(),
        ..before.clone()
    };
    orders::update(tx, before, &mut after)?;
    record(tx, actor, EventType::OrderErased, &after)?;
    Ok(true)
}
