//! Changing an order by a merge patch (RFC 7396).

use super::{
    super::{
        history,
        idempotency::{IdempotentRequest, Reply},
        views::OrderView,
    },
    IfMatch, Right,
    create::duplicate_reference,
    permitted, shown,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        event::EventType,
        id::{OrderId, UserId},
        order::{Customer, Editors, MAX_METADATA, Order},
        permission::Permission,
        pricing::{Cart, Fee, Line, price},
    },
    error::{Error, Fault, Field, Result, problem},
    store::{WriteTx, orders, transactions, users},
};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// What a patch does to one field.
#[derive(Clone, Debug, Default)]
pub enum Change<T> {
    /// Nothing: the field was absent.
    #[default]
    Keep,
    /// It takes the value away: the field was null.
    Clear,
    /// It gives it this value.
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    /// A field that is there: null or a value. Absent fields are left to `#[serde(default)]`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Clear, Self::Set))
    }
}

impl<T> Change<T> {
    /// The same change of a value in another form.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Change<U> {
        match self {
            Self::Keep => Change::Keep,
            Self::Clear => Change::Clear,
            Self::Set(value) => Change::Set(convert(value)),
        }
    }
}

impl<T: Clone> Change<T> {
    fn apply(&self, field: &mut Option<T>) {
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
    /// Replaces the lines.
    pub lines: Option<Vec<Line>>,
    /// Replaces the fees.
    pub fees: Change<Vec<Fee>>,
    /// Replaces the discount on the whole; cleared, it is 0.
    pub order_discount_amount: Change<i64>,
    /// Replaces whether prices include tax.
    pub prices_include_tax: Option<bool>,
    /// The user who gets an order that has none.
    pub user_id: Option<UserId>,
    /// Replaces the reference.
    pub external_ref: Change<String>,
    /// Replaces the note.
    pub note: Change<String>,
    /// Merged by key.
    pub metadata: Change<BTreeMap<String, Option<String>>>,
    /// Merged by key: name, e-mail, phone, address.
    pub customer: Change<[Change<String>; 4]>,
}

/// Changes an order.
pub async fn change(
    app: &App,
    actor: Actor,
    attempt: IdempotentRequest,
    (id, if_match): (OrderId, IfMatch),
    patch: ChangeOrder,
) -> Result<Reply> {
    app.store
        .write("orders.update", move |tx| {
            let before = permitted(tx, &actor, id, &Right::UPDATE)?;
            attempt.run(tx, &actor, || {
                if_match.check(&before)?;
                let mut after = patched(tx, &actor, &before, &patch)?;
                if after == before {
                    return shown(&before);
                }
                refuse_taken_reference(tx, &actor, &before, &after)?;
                after.version += 1;
                after.updated_at = tx.now();
                orders::update(tx, &before, &after)?;
                if after.user_id != before.user_id {
                    transactions::move_to_user(tx, &before, &after)?;
                }
                let event = history::record(tx, &actor, EventType::OrderUpdated, &after, &OrderView::from(&after))?;
                Ok(Reply::of_event(200, event).version(after.version))
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
            .detail("The order belongs to another user already.")
            .member("current_status", order.status.name()));
    }
    if users::by_id(tx, user)?.is_none() {
        return Err(Error::invalid(vec![Fault::new(Field::UserId, "unknown", "must be an existing user")]));
    }
    order.user_id = Some(user);
    Ok(())
}

/// Prices the order again if the patch changes what its price is made of, and tells whether it does. Unchanged lines keep
/// their identifiers.
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

fn merge_customer(customer: &mut Option<Customer>, patch: &Change<[Change<String>; 4]>) {
    match patch {
        Change::Keep => {}
        Change::Clear => *customer = None,
        Change::Set([name, email, phone, address]) => {
            let merged = customer.get_or_insert_default();
            name.apply(&mut merged.name);
            email.apply(&mut merged.email);
            phone.apply(&mut merged.phone);
            address.apply(&mut merged.address);
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
