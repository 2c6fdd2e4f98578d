//! Importing orders, with their history if the line has it. The reference of an order identifies it, or else its
//! number, so that it is created once, however often it is sent.

use super::{
    Access,
    create::{NewOrder, Owner, assemble, insert, owner, refuse_unknown_owner_and_known_reference},
    record,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        event::EventType,
        history::History,
        id::{OrderId, UserId},
        order::{Order, OrderStatus},
        permission::Permission,
    },
    error::{Error, Fault, Field, Result, problem},
    service::transactions,
    store::{ReadTx, WriteTx, orders, users},
};

/// What it takes to import history: the permissions for everything that can have happened.
const HISTORY: [Permission; 4] =
    [Permission::OrdersCreate, Permission::OrdersTransition, Permission::PaymentsWrite, Permission::RefundsWrite];

/// What identifies an order of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportKey {
    /// The caller's own reference.
    ExternalRef(String),
    /// Its number, if there is no reference.
    Number(i64),
}

/// An order to be imported.
#[derive(Clone, Debug)]
pub struct ImportedOrder {
    /// Its contents. Without history also its status.
    pub new: NewOrder,
    /// What happened to it before.
    pub history: Option<History>,
}

/// What an import did with one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It created this order.
    Created(OrderId),
    /// An order with this reference or number exists. Names it if the actor may read it.
    Exists(Option<OrderId>),
}

/// Creates an order, unless it exists: then the rest of `order` is ignored, even if it is invalid. The writer looks for
/// it, so that each line of an import sees the orders of the lines before it.
///
/// # Errors
/// The error in `order`; `FORBIDDEN` if the actor may not import it; `DUPLICATE_NUMBER`; those of creating an order and
/// of recording its payments and refunds.
pub async fn import(app: &App, actor: Actor, key: ImportKey, order: Result<ImportedOrder>) -> Result<Imported> {
    let checked = order.and_then(|order| permit(&actor, &order).map(|()| order));
    let order = match checked {
        Ok(valid) => valid,
        Err(error) => {
            let existing = app.store.write("orders.import", move |tx| find(tx, &actor, &key)).await?;
            return existing.ok_or(error);
        }
    };
    app.store
        .write("orders.import", move |tx| match find(tx, &actor, &key)? {
            Some(existing) => Ok(existing),
            None => create(tx, &actor, &order).map(Imported::Created),
        })
        .await
}

fn find(tx: &ReadTx<'_>, actor: &Actor, key: &ImportKey) -> Result<Option<Imported>> {
    let order = match key {
        ImportKey::ExternalRef(reference) => orders::by_external_ref(tx, reference)?,
        ImportKey::Number(number) => orders::by_number(tx, *number)?,
    };
    Ok(order.map(|order| Imported::Exists(Access::READ.allows(actor, order.user_id).then_some(order.id))))
}

/// Refuses what the actor may not import.
fn permit(actor: &Actor, order: &ImportedOrder) -> Result<()> {
    if order.history.is_some() || order.new.owner == Owner::Nobody {
        let missing: Vec<_> = HISTORY.into_iter().filter(|permission| !actor.may(*permission)).collect();
        if !missing.is_empty() {
            let names: Vec<_> = missing.into_iter().map(Permission::name).collect();
            let detail = format!("To import orders with their history, {} is needed.", names.join(", "));
            return Err(Error::new(&problem::FORBIDDEN).detail(detail));
        }
    }
    owner(actor, order.new.owner).map(drop)
}

fn create(tx: &WriteTx<'_>, actor: &Actor, order: &ImportedOrder) -> Result<OrderId> {
    let owner = match order.new.owner {
        Owner::UserIfKnown(user) if !users::is_known(tx, user)? => None,
        wanted => owner(actor, wanted)?,
    };
    match &order.history {
        None => Ok(insert(tx, actor, owner, &order.new)?.order.id),
        Some(history) => insert_with_history(tx, actor, owner, &order.new, history),
    }
}

/// Inserts an order as it is after its history, with one event for the order and one for each transaction.
fn insert_with_history(
    tx: &WriteTx<'_>,
    actor: &Actor,
    owner: Option<UserId>,
    new: &NewOrder,
    history: &History,
) -> Result<OrderId> {
    let draft = NewOrder { status: OrderStatus::Draft, ..new.clone() };
    let draft = assemble(tx.ids(), tx.now(), actor, owner, draft);
    refuse_unknown_owner_and_known_reference(tx, actor, &draft)?;
    let number = number(tx, actor, history)?;
    let times = history.times(tx.now());
    let mut created = Order {
        seq: orders::next_seq(tx),
        number,
        status: history.status,
        placed_at: times.placed_at,
        confirmed_at: times.confirmed_at,
        fulfilled_at: times.fulfilled_at,
        cancelled_at: times.cancelled_at,
        cancel_reason: history.cancel_reason.clone(),
        ..draft
    };
    let mut order = created.clone();
    let booked = transactions::book_past(tx, &mut order, &history.transactions)?;
    order.version += i64::try_from(booked.len()).map_err(Error::internal)?;
    orders::insert(tx, &mut order)?;
    created.personal = order.personal;
    record(tx, actor, EventType::OrderCreated, &created)?;
    transactions::insert_past(tx, actor, created, &order, &booked)?;
    Ok(order.id)
}

/// The number of the order: its own, if no other order has it, or the next one.
fn number(tx: &WriteTx<'_>, actor: &Actor, history: &History) -> Result<Option<i64>> {
    if !history.was_placed() {
        return Ok(None);
    }
    let Some(number) = history.number else { return orders::next_number(tx).map(Some) };
    if let Some(existing) = orders::by_number(tx, number)? {
        let fault = Fault::new(Field::Number, "duplicate", "must be the number of no other order");
        let error = Error::new(&problem::DUPLICATE_NUMBER).with_faults(vec![fault]);
        let is_readable = Access::READ.allows(actor, existing.user_id);
        return Err(if is_readable { error.member("existing_order_id", existing.id.to_string()) } else { error });
    }
    orders::take_number(tx, number)?;
    Ok(Some(number))
}
