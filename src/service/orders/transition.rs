//! Moving an order to its next status, and refunding the money that a cancelled order holds.

use super::{
    super::{
        history::Recorded,
        idempotency::{Effect, IdempotentRequest},
        transactions,
    },
    Access, Target, effect, record,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        event::EventType,
        order::{Editors, Order, OrderStatus, Transition, TransitionResult},
        outcome::Outcome,
        permission::Permission,
        transaction::Held,
    },
    error::{Error, Fault, Field, Result, problem},
    store::{WriteTx, orders, transactions as rows},
};

/// How much of the money that a cancelled order holds is refunded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refund {
    /// All of it.
    Full,
    /// None of it.
    None,
    /// This amount, in minor units.
    Amount(i64),
}

/// Why an order is cancelled, and what is refunded.
#[derive(Clone, Debug)]
pub struct Cancellation {
    /// For people.
    pub reason: Option<String>,
    /// Required if the order holds money.
    pub refund: Option<Refund>,
}

/// Places, confirms or fulfils an order.
///
/// # Errors
/// `NOT_FOUND`; `VERSION_MISMATCH`; `INVALID_TRANSITION`; those of [`IdempotentRequest::run`].
pub async fn transition(
    app: &App,
    actor: Actor,
    request: IdempotentRequest,
    target: Target,
    transition: Transition,
) -> Result<Effect> {
    app.store
        .write(operation(transition), move |tx| {
            let before = access(transition).find(tx, &actor, target.id)?;
            request.run(tx, &actor, || {
                target.version.check(&before)?;
                let Some(status) = next_status(&before, transition)? else {
                    return effect(tx, Outcome::Unchanged, &before);
                };
                let change = StatusChange { transition, status, reason: None };
                let (after, event) = enter(tx, &actor, &before, change)?;
                Ok(Effect::of_event(Outcome::Changed, event).at_version(after.version))
            })
        })
        .await
}

/// Cancels an order and records the refund, in one transaction.
///
/// # Errors
/// Those of [`transition`]; `FORBIDDEN` if money would be refunded and the actor may not; `REFUND_DECISION_REQUIRED`;
/// `REFUND_EXCEEDS_PAID`.
pub async fn cancel(
    app: &App,
    actor: Actor,
    request: IdempotentRequest,
    target: Target,
    cancellation: Cancellation,
) -> Result<Effect> {
    let Cancellation { reason, refund } = cancellation;
    app.store
        .write("orders.cancel", move |tx| {
            let before = Access::CANCEL.find(tx, &actor, target.id)?;
            request.run(tx, &actor, || {
                target.version.check(&before)?;
                let Some(status) = next_status(&before, Transition::Cancel)? else {
                    return effect(tx, Outcome::Unchanged, &before);
                };
                refuse_owner_after_confirmation(&actor, &before)?;
                let held = rows::held_by_order(tx, before.seq)?;
                if asks_for_money(held, refund) {
                    actor.require(Permission::RefundsWrite)?;
                }
                let amount = refund_amount(held, refund)?;
                let change = StatusChange { transition: Transition::Cancel, status, reason: reason.clone() };
                let (mut after, event) = enter(tx, &actor, &before, change)?;
                if amount == 0 {
                    return Ok(Effect::of_event(Outcome::Changed, event).at_version(after.version));
                }
                transactions::refund_on_cancellation(tx, &actor, &mut after, amount, reason.clone())?;
                effect(tx, Outcome::Changed, &after)
            })
        })
        .await
}

/// Moves `order` to the status that `transition` leads to, and returns it as it is then. `reason` is for cancellations.
/// Refunds nothing.
pub(in crate::service) fn advance(
    tx: &WriteTx<'_>,
    actor: &Actor,
    order: &Order,
    transition: Transition,
    reason: Option<String>,
) -> Result<Order> {
    match next_status(order, transition)? {
        Some(status) => enter(tx, actor, order, StatusChange { transition, status, reason }).map(|(after, _)| after),
        None => Ok(order.clone()),
    }
}

struct StatusChange {
    transition: Transition,
    /// The status that the transition leads to.
    status: OrderStatus,
    /// Why the order is cancelled, if it is.
    reason: Option<String>,
}

/// Stores the order in its next status. Returns it with the event that records the change.
fn enter(tx: &WriteTx<'_>, actor: &Actor, before: &Order, change: StatusChange) -> Result<(Order, Recorded)> {
    let mut after = Order { cancel_reason: change.reason, version: before.version + 1, ..before.clone() };
    if change.status == OrderStatus::Pending {
        after.number = Some(orders::next_number(tx)?);
    }
    after.enter(change.status, tx.now());
    after.updated_at = tx.now();
    if change.status == OrderStatus::Cancelled {
        transactions::drop_pending_credits(tx, &mut after)?;
    }
    orders::update(tx, before, &mut after)?;
    if change.status == OrderStatus::Cancelled {
        rows::recount_after_cancellation(tx, before, &after)?;
    }
    let event = record(tx, actor, EventType::of(change.transition), &after)?;
    Ok((after, event))
}

const fn operation(transition: Transition) -> &'static str {
    match transition {
        Transition::Place => "orders.place",
        Transition::Confirm => "orders.confirm",
        Transition::Fulfil => "orders.fulfil",
        Transition::Cancel => "orders.cancel",
    }
}

const fn access(transition: Transition) -> Access {
    match transition {
        Transition::Place => Access::PLACE,
        Transition::Confirm | Transition::Fulfil => Access::TRANSITION,
        Transition::Cancel => Access::CANCEL,
    }
}

/// The status that `transition` leads to; none if the order has it already.
fn next_status(order: &Order, transition: Transition) -> Result<Option<OrderStatus>> {
    match order.status.after(transition) {
        TransitionResult::To(status) => Ok(Some(status)),
        TransitionResult::AlreadyThere => Ok(None),
        TransitionResult::NotAllowed => Err(not_allowed(order, participle(transition))),
    }
}

/// The transition as in "the order was …".
const fn participle(transition: Transition) -> &'static str {
    match transition {
        Transition::Place => "placed",
        Transition::Confirm => "confirmed",
        Transition::Fulfil => "fulfilled",
        Transition::Cancel => "cancelled",
    }
}

fn not_allowed(order: &Order, participle: &str) -> Error {
    let allowed: Vec<_> = order.status.allowed_transitions().map(Transition::name).collect();
    Error::new(&problem::INVALID_TRANSITION)
        .detail(format!("The order is {}, so it cannot be {participle}.", order.status))
        .member("current_status", order.status.name())
        .member("allowed_transitions", allowed)
}

/// Customers may cancel their own orders until these are confirmed.
fn refuse_owner_after_confirmation(actor: &Actor, order: &Order) -> Result<()> {
    if !actor.may(Permission::OrdersCancel) && order.status.editable_by() != Editors::Everyone {
        return Err(not_allowed(order, "cancelled by its owner; ask the shop to do it"));
    }
    Ok(())
}

/// Whether this decision would refund money, if it is allowed at all.
fn asks_for_money(held: Held, refund: Option<Refund>) -> bool {
    match refund {
        None | Some(Refund::None) => false,
        Some(Refund::Full) => held.refundable() > 0,
        Some(Refund::Amount(amount)) => amount > 0,
    }
}

/// The amount to refund, in minor units.
fn refund_amount(held: Held, refund: Option<Refund>) -> Result<i64> {
    let most = held.refundable();
    match refund {
        None if most > 0 => Err(Error::new(&problem::REFUND_DECISION_REQUIRED)
            .detail(format!(
                "The order holds {most}. Send `refund` with \"full\", \"none\" or the amount to refund in minor units."
            ))
            .with_faults(vec![Fault::new(Field::Refund, "required", "must be \"full\", \"none\" or minor units")])),
        None | Some(Refund::None) => Ok(0),
        Some(Refund::Full) => Ok(most.max(0)),
        Some(Refund::Amount(amount)) if amount > most => Err(transactions::exceeds(Field::Refund, amount, most)),
        Some(Refund::Amount(amount)) => Ok(amount),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_required_only_while_money_is_held() {
        let nothing = Held::default();
        let held = Held { paid: 100, refunded: 30, pending_refunds: 20 };
        assert_eq!(refund_amount(nothing, None).unwrap(), 0);
        assert_eq!(refund_amount(nothing, Some(Refund::Full)).unwrap(), 0);
        assert!(refund_amount(held, None).unwrap_err().is(&problem::REFUND_DECISION_REQUIRED));
        assert_eq!(refund_amount(held, Some(Refund::Full)).unwrap(), 50);
        assert_eq!(refund_amount(held, Some(Refund::None)).unwrap(), 0);
        assert_eq!(refund_amount(held, Some(Refund::Amount(50))).unwrap(), 50);
        assert!(refund_amount(held, Some(Refund::Amount(51))).unwrap_err().is(&problem::REFUND_EXCEEDS_PAID));
    }
}
