//! Changing an order by a merge patch (RFC 7396).

use super::{
    super::{
        history,
        idempotency::{Effect, IdempotentRequest},
        views::OrderView,
    },
    Access, Target,
    create::duplicate_reference,
    effect,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        event::EventType,
        order::{Customer, Item, MAX_METADATA, Order},
        outcome::Outcome,
        pricing::{Fee, Line, price},
    },
    error::{Error, Fault, Field, Result, problem},
    store::{WriteTx, orders},
};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// What a merge patch does to one field.
#[derive(Clone, Debug, Default)]
pub enum Change<T> {
    /// The field is absent: its value stays.
    #[default]
    Keep,
    /// The field is null: its value is removed.
    Clear,
    /// The field gets this value.
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    /// Reads a field that is present. An absent one becomes [`Change::Keep`] by `#[serde(default)]`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Clear, Self::Set))
    }
}

impl<T> Change<T> {
    /// The same change with its value converted.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Change<U> {
        match self {
            Self::Keep => Change::Keep,
            Self::Clear => Change::Clear,
            Self::Set(value) => Change::Set(convert(value)),
        }
    }
}

impl<T: Clone> Change<T> {
    /// Changes `field`.
    pub fn apply(&self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value.clone()),
        }
    }
}

/// A merge patch of an order.
#[derive(Clone, Debug, Default)]
pub struct ChangeOrder {
    /// Replaces all lines.
    pub lines: Option<Vec<Line>>,
    /// Replaces all fees.
    pub fees: Change<Vec<Fee>>,
    /// Replaces the discount on the whole order. [`Change::Clear`] sets it to 0.
    pub order_discount_amount: Change<i64>,
    /// Replaces the reference.
    pub external_ref: Change<String>,
    /// Replaces the note.
    pub note: Change<String>,
    /// Merged by key; a key without a value is removed.
    pub metadata: Change<BTreeMap<String, Option<String>>>,
    /// Merged by field.
    pub customer: Change<ChangeCustomer>,
}

/// A merge patch of an order's customer.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ChangeCustomer {
    pub name: Change<String>,
    pub email: Change<String>,
    pub phone: Change<String>,
    pub address: Change<String>,
}

/// Changes an order.
///
/// # Errors
/// `NOT_FOUND`; `VERSION_MISMATCH`; `VALIDATION_FAILED` if the order cannot be priced; `ORDER_FROZEN`;
/// `DUPLICATE_EXTERNAL_REF`; those of [`IdempotentRequest::run`].
pub async fn change(
    app: &App,
    actor: Actor,
    request: IdempotentRequest,
    target: Target,
    patch: ChangeOrder,
) -> Result<Effect> {
    app.store
        .write("orders.update", move |tx| {
            let before = Access::UPDATE.find(tx, &actor, target.id)?;
            request.run(tx, &actor, || {
                target.version.check(&before)?;
                let mut after = patched(tx, &before, &patch)?;
                if after == before {
                    return effect(Outcome::Unchanged, &before);
                }
                refuse_taken_reference(tx, &actor, &before, &after)?;
                after.version += 1;
                after.updated_at = tx.now();
                orders::update(tx, &before, &after)?;
                if after.items != before.items {
                    orders::replace_items(tx, &after)?;
                }
                let event = history::record(tx, &actor, EventType::OrderUpdated, &after, &OrderView::from(&after))?;
                Ok(Effect::of_event(Outcome::Changed, event).at_version(after.version))
            })
        })
        .await
}

/// The order with `patch` applied and priced again.
fn patched(tx: &WriteTx<'_>, before: &Order, patch: &ChangeOrder) -> Result<Order> {
    let mut after = before.clone();
    patch.external_ref.apply(&mut after.external_ref);
    patch.note.apply(&mut after.note);
    merge_metadata(&mut after.metadata, &patch.metadata)?;
    merge_customer(&mut after.customer, &patch.customer);
    match &patch.fees {
        Change::Keep => {}
        Change::Clear => after.fees.clear(),
        Change::Set(fees) => after.fees.clone_from(fees),
    }
    match patch.order_discount_amount {
        Change::Keep => {}
        Change::Clear => after.order_discount_amount = 0,
        Change::Set(amount) => after.order_discount_amount = amount,
    }
    reprice(tx, before, &mut after, patch.lines.as_deref())?;
    let frozen_fields_change = (&before.items, &before.fees, before.order_discount_amount, &before.external_ref)
        != (&after.items, &after.fees, after.order_discount_amount, &after.external_ref);
    if frozen_fields_change && !before.status.changeable() {
        return Err(Error::new(&problem::ORDER_FROZEN).member("current_status", before.status.name()));
    }
    Ok(after)
}

fn reprice(tx: &WriteTx<'_>, before: &Order, after: &mut Order, lines: Option<&[Line]>) -> Result<()> {
    let present: Vec<Line> = before.items.iter().map(|item| item.line.clone()).collect();
    let lines = lines.unwrap_or(&present);
    let (totals, sums) = price(lines, &after.fees, after.order_discount_amount).map_err(Error::invalid)?;
    let same = totals.iter().eq(before.items.iter().map(|item| &item.totals)) && lines == present;
    if !same {
        let item = |(line, totals): (&Line, _)| Item { id: tx.new_id(), line: line.clone(), totals };
        after.items = lines.iter().zip(totals).map(item).collect();
    }
    after.totals = sums;
    after.update_payment_status();
    Ok(())
}

fn merge_metadata(
    metadata: &mut BTreeMap<String, String>,
    patch: &Change<BTreeMap<String, Option<String>>>,
) -> Result<()> {
    match patch {
        Change::Keep => {}
        Change::Clear => metadata.clear(),
        Change::Set(entries) => {
            for (key, value) in entries {
                match value {
                    Some(value) => metadata.insert(key.clone(), value.clone()),
                    None => metadata.remove(key),
                };
            }
        }
    }
    if metadata.len() > MAX_METADATA {
        let detail = format!("must have at most {MAX_METADATA} entries after merging");
        return Err(Error::invalid(vec![Fault::new(Field::Metadata, "too_many", detail)]));
    }
    Ok(())
}

fn merge_customer(customer: &mut Option<Customer>, patch: &Change<ChangeCustomer>) {
    match patch {
        Change::Keep => {}
        Change::Clear => *customer = None,
        Change::Set(patch) => {
            let merged = customer.get_or_insert_default();
            patch.name.apply(&mut merged.name);
            patch.email.apply(&mut merged.email);
            patch.phone.apply(&mut merged.phone);
            patch.address.apply(&mut merged.address);
        }
    }
}

fn refuse_taken_reference(tx: &WriteTx<'_>, actor: &Actor, before: &Order, after: &Order) -> Result<()> {
    if before.external_ref == after.external_ref {
        return Ok(());
    }
    let Some(reference) = &after.external_ref else { return Ok(()) };
    match orders::by_external_ref(tx, reference)? {
        Some(existing) => Err(duplicate_reference(actor, &existing)),
        None => Ok(()),
    }
}
