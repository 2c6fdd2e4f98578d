//! Moving an order through its states, and what that does to the money it holds.

use super::{
    super::{
        history::{self, Recorded},
        idempotency::{IdempotentRequest, Reply},
        transactions,
        views::OrderView,
    },
    IfMatch, Right, permitted, shown,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        event::EventType,
        id::OrderId,
        order::{Editors, Order, OrderStatus, Step, Transition},
        permission::Permission,
        transaction::Held,
    },
    error::{Error, Fault, Field, Result, problem},
    store::{ReadTx, WriteTx, orders, transactions as rows},
};

/// What happens to the money that a cancelled order holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refund {
    /// All of it goes back.
    Full,
    /// It stays.
    None,
    /// This much goes back, in minor units.
    Amount(i64),
}

/// Places, confirms or fulfils an order.
pub async fn transition(
    app: &App,
    actor: Actor,
    attempt: IdempotentRequest,
    (id, if_match): (OrderId, IfMatch),
    transition: Transition,
) -> Result<Reply> {
    app.store
        .write(operation(transition), move |tx| {
            let before = visible(tx, &actor, id, transition)?;
            attempt.run(tx, &actor, || {
                if_match.check(&before)?;
                let Some(next) = next_status(&before, transition)? else { return shown(&before) };
                let (after, event) = enter(tx, &actor, &before, (transition, next), None)?;
                Ok(Reply::of_event(200, event).version(after.version))
            })
        })
        .await
}

/// Cancels an order and books what goes back, in one transaction.
pub async fn cancel(
    app: &App,
    actor: Actor,
    attempt: IdempotentRequest,
    (id, if_match): (OrderId, IfMatch),
    (reason, refund): (Option<String>, Option<Refund>),
) -> Result<Reply> {
    app.store
        .write("orders.cancel", move |tx| {
            let before = visible(tx, &actor, id, Transition::Cancel)?;
            attempt.run(tx, &actor, || {
                if_match.check(&before)?;
                let Some(next) = next_status(&before, Transition::Cancel)? else { return shown(&before) };
                refuse_owner_after_confirmation(&actor, &before)?;
                let held = rows::held_by_order(tx, before.seq)?;
                if gives_back(held, refund) {
                    actor.require(Permission::RefundsWrite)?;
                }
                let amount = decide(held, refund)?;
                let (mut after, event) = enter(tx, &actor, &before, (Transition::Cancel, next), reason.clone())?;
                if amount == 0 {
                    return Ok(Reply::of_event(200, event).version(after.version));
                }
                transactions::refund_on_cancellation(tx, &actor, &mut after, amount, reason.clone())?;
                shown(&after)
            })
        })
        .await
}

/// Moves `order`, for `reason` if it is called off, and says how it stands then. Money that it holds stays.
pub(in crate::service) fn moved(
    tx: &WriteTx<'_>,
    actor: &Actor,
    order: &Order,
    transition: Transition,
    reason: Option<String>,
) -> Result<Order> {
    match next_status(order, transition)? {
        Some(next) => enter(tx, actor, order, (transition, next), reason).map(|(after, _)| after),
        None => Ok(order.clone()),
    }
}

/// The order in its next status, for `reason` if it is called off, and the event that tells of it.
fn enter(
    tx: &WriteTx<'_>,
    actor: &Actor,
    before: &Order,
    (transition, next): (Transition, OrderStatus),
    reason: Option<String>,
) -> Result<(Order, Recorded)> {
    let mut after = Order { cancel_reason: reason, ..before.clone() };
    advance(tx, &mut after, next);
    orders::update(tx, before, &after)?;
    let event = history::record(tx, actor, EventType::of(transition), &after, &OrderView::from(&after))?;
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

fn visible(tx: &ReadTx<'_>, actor: &Actor, id: OrderId, transition: Transition) -> Result<Order> {
    let right = match transition {
        Transition::Place => Right::PLACE,
        Transition::Confirm | Transition::Fulfil => Right::MOVE,
        Transition::Cancel => Right::CANCEL,
    };
    permitted(tx, actor, id, &right)
}

/// The status that `transition` leads to; none if it has happened already.
fn next_status(order: &Order, transition: Transition) -> Result<Option<OrderStatus>> {
    match order.status.step(transition) {
        Step::To(status) => Ok(Some(status)),
        Step::Already => Ok(None),
        Step::Impossible => Err(impossible(order, transition.name())),
    }
}

fn impossible(order: &Order, what: &str) -> Error {
    let allowed: Vec<_> = order.status.allowed_transitions().map(Transition::name).collect();
    Error::new(&problem::INVALID_TRANSITION)
        .detail(format!("An order that is {} cannot {what}.", order.status))
        .member("current_status", order.status.name())
        .member("allowed_transitions", allowed)
}

/// Customers call off what nobody has begun to work on.
fn refuse_owner_after_confirmation(actor: &Actor, order: &Order) -> Result<()> {
    if !actor.may(Permission::OrdersCancel) && order.status.editable_by() != Editors::Everyone {
        return Err(impossible(order, "be cancelled by its owner"));
    }
    Ok(())
}

fn advance(tx: &WriteTx<'_>, order: &mut Order, next: OrderStatus) {
    if next == OrderStatus::Pending {
        order.number = Some(orders::next_number(tx));
    }
    order.enter(next, tx.now());
    order.version += 1;
    order.updated_at = tx.now();
}

/// Whether this decision lets money go back, or tries to.
fn gives_back(held: Held, refund: Option<Refund>) -> bool {
    match refund {
        None | Some(Refund::None) => false,
        Some(Refund::Full) => held.refundable() > 0,
        Some(Refund::Amount(amount)) => amount > 0,
    }
}

/// How much goes back.
fn decide(held: Held, refund: Option<Refund>) -> Result<i64> {
    let most = held.refundable();
    match refund {
        None if most > 0 => Err(Error::new(&problem::REFUND_DECISION_REQUIRED)
            .detail(format!("The order holds {most}; say what happens to it."))
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
    fn a_decision_is_asked_for_only_while_money_is_held() {
        let nothing = Held::default();
        let held = Held { paid: 100, refunded: 30, pending_refunds: 20 };
        assert_eq!(decide(nothing, None).unwrap(), 0);
        assert_eq!(decide(nothing, Some(Refund::Full)).unwrap(), 0);
        assert!(decide(held, None).unwrap_err().is(&problem::REFUND_DECISION_REQUIRED));
        assert_eq!(decide(held, Some(Refund::Full)).unwrap(), 50);
        assert_eq!(decide(held, Some(Refund::None)).unwrap(), 0);
        assert_eq!(decide(held, Some(Refund::Amount(50))).unwrap(), 50);
        assert!(decide(held, Some(Refund::Amount(51))).unwrap_err().is(&problem::REFUND_EXCEEDS_PAID));
    }
}
