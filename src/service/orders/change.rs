//! Changing an order by a merge patch (RFC 7396).

use super::{
    super::idempotency::{Effect, IdempotentRequest},
    Access, Target,
    create::duplicate_reference,
    effect, record,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        event::EventType,
        id::UserId,
        order::{Customer, Editors, MAX_METADATA, Order},
        outcome::Outcome,
        permission::Permission,
        pricing::{Cart, Fee, Line, price},
    },
    error::{Error, Fault, Field, Result, problem},
    store::{WriteTx, orders, transactions, users},
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
    /// Replaces whether prices include tax.
    pub prices_include_tax: Option<bool>,
    /// The user who gets an order that has none.
    pub user_id: Option<UserId>,
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
                let mut after = patched(tx, &actor, &before, &patch)?;
                if after == before {
                    return effect(tx, Outcome::Unchanged, &before);
                }
                refuse_taken_reference(tx, &actor, &before, &after)?;
                after.version += 1;
                after.updated_at = tx.now();
                orders::update(tx, &before, &mut after)?;
                if after.user_id != before.user_id {
                    transactions::move_to_user(tx, &before, &after)?;
                }
                let event = record(tx, &actor, EventType::OrderUpdated, &after)?;
                Ok(Effect::of_event(Outcome::Changed, event).at_version(after.version))
            })
        })
        .await
}

/// The order with `patch` applied and priced again.
fn patched(tx: &WriteTx<'_>, actor: &Actor, before: &Order, patch: &ChangeOrder) -> Result<Order> {
    let mut after = before.clone();
    patch.external_ref.apply(&mut after.external_ref);
    patch.note.apply(&mut after.note);
    merge_metadata(&mut after.metadata, &patch.metadata)?;
    merge_customer(&mut after.customer, &patch.customer);
    give_to_user(tx, actor, &mut after, patch.user_id)?;
    let is_repriced = reprice(tx, &mut after, patch)?;
    if is_repriced || after.external_ref != before.external_ref {
        refuse_frozen(actor, before)?;
    }
    Ok(after)
}

/// Gives an order that has no user to `user`.
fn give_to_user(tx: &WriteTx<'_>, actor: &Actor, order: &mut Order, user: Option<UserId>) -> Result<()> {
    let Some(user) = user.filter(|user| order.user_id != Some(*user)) else { return Ok(()) };
    actor.require(Permission::OrdersUpdate)?;
    if order.user_id.is_some() {
        return Err(Error::new(&problem::ORDER_FROZEN)
            .detail("The order belongs to another user already, and a user is given once.")
            .member("current_status", order.status.name()));
    }
    if !users::is_known(tx, user)? {
        return Err(Error::invalid(vec![Fault::new(Field::UserId, "unknown", "must be an existing user")]));
    }
    order.user_id = Some(user);
    Ok(())
}

/// Prices the order again if the patch changes what its price is made of, and tells whether it does. Unchanged lines
/// keep their identifiers.
fn reprice(tx: &WriteTx<'_>, order: &mut Order, patch: &ChangeOrder) -> Result<bool> {
    let present_lines: Vec<Line> = order.items.iter().map(|item| item.line.clone()).collect();
    let present_fees: Vec<Fee> = order.fees.iter().map(|fee| fee.fee.clone()).collect();
    let lines = patch.lines.as_ref().unwrap_or(&present_lines);
    let fees = match &patch.fees {
        Change::Keep => &present_fees,
        Change::Clear => &vec![],
        Change::Set(fees) => fees,
    };
    let order_discount = match patch.order_discount_amount {
        Change::Keep => order.order_discount_amount,
        Change::Clear => 0,
        Change::Set(amount) => amount,
    };
    let prices_include_tax = patch.prices_include_tax.unwrap_or(order.prices_include_tax);
    if (lines, fees) == (&present_lines, &present_fees)
        && (order_discount, prices_include_tax) == (order.order_discount_amount, order.prices_include_tax)
    {
        return Ok(false);
    }
    let priced = price(&Cart { prices_include_tax, lines, fees, order_discount }).map_err(Error::invalid)?;
    let ids: Vec<_> = if *lines == present_lines {
        order.items.iter().map(|item| item.id).collect()
    } else {
        lines.iter().map(|_| tx.new_id()).collect()
    };
    order.prices_include_tax = prices_include_tax;
    order.order_discount_amount = order_discount;
    order.set_price(ids.into_iter().zip(lines.iter().cloned()).collect(), fees.clone(), &priced);
    Ok(true)
}

/// Refuses to change what an order is made of when its status or its credits do not allow it.
fn refuse_frozen(actor: &Actor, order: &Order) -> Result<()> {
    let is_editable = match order.status.editable_by() {
        Editors::Everyone => true,
        Editors::Staff => actor.may(Permission::OrdersUpdate),
        Editors::Nobody => false,
    };
    let reason = if order.has_credits() {
        "Refunds credited parts of the order."
    } else if !is_editable {
        "Its status does not allow it."
    } else {
        return Ok(());
    };
    Err(Error::new(&problem::ORDER_FROZEN)
        .detail(format!("Items, fees, discounts, prices_include_tax and external_ref cannot change. {reason}"))
        .member("current_status", order.status.name()))
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
