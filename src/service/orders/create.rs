//! Making an order.

use super::super::{
    history::{self, Recorded},
    idempotency::{IdempotentRequest, Reply},
    views::OrderView,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        event::EventType,
        id::UserId,
        order::{Order, OrderDraft, OrderStatus},
        permission::Permission,
        pricing::Totals,
        transaction::PaymentStatus,
    },
    error::{Error, Fault, Field, Result, problem},
    store::{WriteTx, orders, users},
};

/// An order to be made.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// What it holds.
    pub draft: OrderDraft,
    /// For whom, if the caller says.
    pub user_id: Option<UserId>,
    /// The status that it begins with: draft or pending.
    pub status: OrderStatus,
}

/// Makes an order. The same key always yields the same order.
pub async fn create(app: &App, actor: Actor, attempt: IdempotentRequest, new: NewOrder) -> Result<Reply> {
    let owner = owner(&actor, new.user_id)?;
    app.store
        .write("orders.create", move |tx| {
            attempt.run(tx, &actor, || {
                let Inserted { order, event } = insert(tx, &actor, owner, &new)?;
                Ok(Reply::of_event(201, event).at(format!("/v1/orders/{}", order.id)).version(order.version))
            })
        })
        .await
}

/// Whose the order will be: on somebody's behalf only with the wide permission.
pub(super) fn owner(actor: &Actor, wanted: Option<UserId>) -> Result<Option<UserId>> {
    match wanted {
        Some(user) if actor.user_id() != Some(user) => {
            actor.require(Permission::OrdersCreate)?;
            Ok(Some(user))
        }
        _ => Ok(actor.user_id()),
    }
}

/// An order that was made, and the event that tells of it.
pub(in crate::service) struct Inserted {
    pub(in crate::service) order: Order,
    event: Recorded,
}

/// Makes an order.
pub(in crate::service) fn insert(
    tx: &WriteTx<'_>,
    actor: &Actor,
    owner: Option<UserId>,
    new: &NewOrder,
) -> Result<Inserted> {
    // Users are never deleted, so a caller who was let in exists.
    if let Some(user) = owner
        && owner != actor.user_id()
        && users::by_id(tx, user)?.is_none()
    {
        return Err(Error::invalid(vec![Fault::new(Field::UserId, "unknown", "must be an existing user")]));
    }
    if let Some(reference) = &new.draft.external_ref
        && let Some(existing) = orders::by_external_ref(tx, reference)?
    {
        return Err(duplicate_reference(actor, &existing));
    }
    let order = assemble(tx, actor, owner, new);
    orders::insert(tx, &order)?;
    let event = history::record(tx, actor, EventType::OrderCreated, &order, &OrderView::from(&order))?;
    Ok(Inserted { order, event })
}

/// The refusal of a reference that `existing` has; who may read that order is told which it is.
pub(super) fn duplicate_reference(actor: &Actor, existing: &Order) -> Error {
    let error = Error::new(&problem::DUPLICATE_EXTERNAL_REF);
    if super::readable(actor, existing.user_id) {
        error.member("existing_order_id", existing.id.to_string())
    } else {
        error
    }
}

fn assemble(tx: &WriteTx<'_>, actor: &Actor, owner: Option<UserId>, new: &NewOrder) -> Order {
    let (draft, now) = (&new.draft, tx.now());
    let placed = new.status == OrderStatus::Pending;
    let mut order = Order {
        seq: orders::next_seq(tx),
        id: tx.new_id(),
        number: placed.then(|| orders::next_number(tx)),
        status: new.status,
        payment_status: PaymentStatus::Unpaid,
        currency: draft.currency,
        user_id: owner,
        external_ref: draft.external_ref.clone(),
        prices_include_tax: draft.prices_include_tax,
        items: vec![],
        fees: vec![],
        taxes: vec![],
        order_discount_amount: draft.order_discount_amount,
        totals: Totals::default(),
        paid_amount: 0,
        refunded_amount: 0,
        credited_amount: 0,
        credited_tax_amount: 0,
        customer: draft.customer.clone(),
        note: draft.note.clone(),
        metadata: draft.metadata.clone(),
        version: 1,
        created_by: actor.principal.to_string(),
        created_at: now,
        updated_at: now,
        placed_at: placed.then_some(now),
        confirmed_at: None,
        fulfilled_at: None,
        cancelled_at: None,
        cancel_reason: None,
    };
    let items = draft.lines.iter().map(|line| (tx.new_id(), line.clone())).collect();
    order.set_price(items, draft.fees.clone(), &draft.priced);
    order
}
