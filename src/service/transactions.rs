//! Payments and refunds: recording them, resolving pending ones, and keeping the sums of their order.
//!
//! Refunds never exceed payments, also when requests race: each check runs in the transaction of its effect, and there is
//! one writer.

use super::{
    audit,
    history::{self, Recorded},
    idempotency::{Effect, IdempotentRequest},
    orders::readable_order,
    page::{Page, PageRequest},
    views::TransactionView,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        event::EventType,
        id::{OrderId, TransactionId},
        money::{MAX_AMOUNT, amount},
        order::{Order, OrderStatus},
        outcome::{Outcome, Resource},
        permission::Permission,
        time::Timestamp,
        transaction::{Kind, Transaction, TransactionStatus},
    },
    error::{Error, Fault, Field, Result, problem},
    store::{ReadTx, WriteTx, orders, transactions},
};

/// A payment or refund to be recorded.
#[derive(Clone, Debug)]
pub struct NewTransaction {
    /// Payment or refund.
    pub kind: Kind,
    /// Pending or succeeded.
    pub status: TransactionStatus,
    /// Minor units, more than 0.
    pub amount: i64,
    /// The company that moves the money, such as `stripe`.
    pub provider: Option<String>,
    /// The provider's identifier of the transaction.
    pub provider_ref: Option<String>,
    /// For a refund: the payment that it refunds.
    pub payment_id: Option<TransactionId>,
    /// For people.
    pub reason: Option<String>,
    /// When the money moved. None means now.
    pub occurred_at: Option<Timestamp>,
}

impl NewTransaction {
    /// A transaction that succeeds now, without further details.
    pub(super) fn succeeded(kind: Kind, amount: i64) -> Self {
        Self {
            kind,
            status: TransactionStatus::Succeeded,
            amount,
            provider: None,
            provider_ref: None,
            payment_id: None,
            reason: None,
            occurred_at: None,
        }
    }
}

/// How a pending transaction ended.
#[derive(Clone, Copy, Debug)]
pub struct Resolution {
    /// Its new status.
    pub status: TransactionStatus,
    /// When the money moved. None keeps the time that was recorded.
    pub occurred_at: Option<Timestamp>,
}

/// The permission for recording and resolving transactions of this kind.
const fn permission(kind: Kind) -> Permission {
    match kind {
        Kind::Payment => Permission::PaymentsWrite,
        Kind::Refund => Permission::RefundsWrite,
    }
}

/// Records a payment or refund of an order.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND`; `DUPLICATE_TRANSACTION`; `ORDER_NOT_PLACED`; `ORDER_CANCELLED` for a payment;
/// `REFUND_EXCEEDS_PAID`; `VALIDATION_FAILED`; those of [`IdempotentRequest::run`].
pub async fn record(
    app: &App,
    actor: Actor,
    request: IdempotentRequest,
    id: OrderId,
    new: NewTransaction,
) -> Result<Effect> {
    actor.require(permission(new.kind))?;
    app.store
        .write(operation(new.kind), move |tx| {
            let mut order = orders::by_id(tx, id)?.ok_or_else(Error::absent)?;
            request.run(tx, &actor, || add(tx, &actor, &mut order, &new))
        })
        .await
}

const fn operation(kind: Kind) -> &'static str {
    match kind {
        Kind::Payment => "payments.create",
        Kind::Refund => "refunds.create",
    }
}

/// Records a payment or refund of `order` and updates `order`.
pub(super) fn add(tx: &WriteTx<'_>, actor: &Actor, order: &mut Order, new: &NewTransaction) -> Result<Effect> {
    // Before the other checks: a provider that repeats a message must hear that it is known, whatever the order's status.
    refuse_duplicate(tx, new)?;
    refuse_status(order, new.kind)?;
    if new.kind == Kind::Refund {
        refuse_excess(tx, order, new)?;
    }
    book(tx, actor, order, &assemble(tx, order, new), operation(new.kind))
}

/// Resolves a pending transaction.
///
/// # Errors
/// `NOT_FOUND`; `FORBIDDEN`; `INVALID_TRANSITION` if it was resolved otherwise; those of [`IdempotentRequest::run`].
pub async fn resolve(
    app: &App,
    actor: Actor,
    request: IdempotentRequest,
    id: TransactionId,
    resolution: Resolution,
) -> Result<Effect> {
    app.store
        .write("transactions.update", move |tx| {
            let before = transactions::by_id(tx, id)?.ok_or_else(Error::absent)?;
            actor.require(permission(before.kind))?;
            request.run(tx, &actor, || {
                let mut order = orders::by_id(tx, before.order_id)?.ok_or_else(Error::absent)?;
                if before.status == resolution.status {
                    let document = TransactionView::with_order(&before, &order);
                    let document = serde_json::to_string(&document).map_err(Error::internal)?;
                    return Ok(Effect::new(Outcome::Unchanged, document));
                }
                if before.status != TransactionStatus::Pending {
                    return Err(already_resolved(&before));
                }
                let after = Transaction {
                    status: resolution.status,
                    occurred_at: resolution.occurred_at.unwrap_or(before.occurred_at),
                    ..before.clone()
                };
                transactions::resolve(tx, order.user_id, &after)?;
                audit::record(tx, &actor, "transactions.update", Some(&id), &audited(&order, &after))?;
                let event = update_order(tx, &actor, &mut order, &after, EventType::updated)?;
                Ok(Effect::of_event(Outcome::Changed, event))
            })
        })
        .await
}

fn already_resolved(transaction: &Transaction) -> Error {
    Error::new(&problem::INVALID_TRANSITION)
        .detail(format!("A transaction that is {} stays so.", transaction.status))
        .member("current_status", transaction.status.name())
        .member("allowed_transitions", Vec::<String>::new())
}

/// The transaction as JSON.
///
/// # Errors
/// `NOT_FOUND` if there is none, or the actor may not read its order.
pub async fn get(app: &App, actor: &Actor, id: TransactionId) -> Result<String> {
    app.store
        .read("transactions.get", |tx| {
            let transaction = transactions::by_id(tx, id)?.ok_or_else(Error::absent)?;
            readable_order(tx, actor, transaction.order_id)?;
            serde_json::to_string(&TransactionView::from(&transaction)).map_err(Error::internal)
        })
        .await
}

/// A page of the order's transactions, newest first, keyed by row.
///
/// # Errors
/// `NOT_FOUND` if there is no order that the actor may read.
pub async fn of_order(
    app: &App,
    actor: &Actor,
    id: OrderId,
    request: &PageRequest<i64>,
) -> Result<Page<Transaction, i64>> {
    let found = app.store.read("transactions.list", |tx| {
        let order = readable_order(tx, actor, id)?;
        let before = request.after.unwrap_or(i64::MAX);
        let rows = transactions::of_order(tx, order.seq, before, request.limit_and_one())?;
        request.page(rows, |(seq, _)| *seq, || transactions::count_of_order(tx, order.seq))
    });
    Ok(found.await?.map(|(_, transaction)| transaction))
}

/// Records the refund for the cancellation of `order`. The caller has checked that the order holds this amount.
pub(super) fn refund_on_cancellation(
    tx: &WriteTx<'_>,
    actor: &Actor,
    order: &mut Order,
    amount: i64,
    reason: Option<String>,
) -> Result<()> {
    let new = NewTransaction { reason, ..NewTransaction::succeeded(Kind::Refund, amount) };
    book(tx, actor, order, &assemble(tx, order, &new), "orders.cancel").map(drop)
}

/// The error for a refund of `amount` when at most `most` can be refunded.
pub(super) fn exceeds(field: Field, amount: i64, most: i64) -> Error {
    Error::new(&problem::REFUND_EXCEEDS_PAID)
        .detail(format!("{most} is left to refund; {amount} was asked for."))
        .with_faults(vec![Fault::new(field, "too_large", format!("must be at most {most}"))])
}

fn refuse_duplicate(tx: &ReadTx<'_>, new: &NewTransaction) -> Result<()> {
    let Some(reference) = &new.provider_ref else { return Ok(()) };
    let recorded = transactions::is_recorded(tx, new.kind, new.provider.as_deref(), reference)?;
    if recorded { Err(Error::new(&problem::DUPLICATE_TRANSACTION)) } else { Ok(()) }
}

fn refuse_status(order: &Order, kind: Kind) -> Result<()> {
    match (order.status, kind) {
        (OrderStatus::Draft, _) => Err(Error::new(&problem::ORDER_NOT_PLACED)),
        (OrderStatus::Cancelled, Kind::Payment) => Err(Error::new(&problem::ORDER_CANCELLED)),
        _ => Ok(()),
    }
}

fn refuse_excess(tx: &ReadTx<'_>, order: &Order, new: &NewTransaction) -> Result<()> {
    let mut most = transactions::held_by_order(tx, order.seq)?.refundable();
    if let Some(id) = new.payment_id {
        let payment = transactions::by_id(tx, id)?.filter(|payment| {
            payment.order_id == order.id
                && payment.kind == Kind::Payment
                && payment.status == TransactionStatus::Succeeded
        });
        let Some(payment) = payment else {
            let detail = "must be a succeeded payment of this order";
            return Err(Error::invalid(vec![Fault::new(Field::PaymentId, "unknown", detail)]));
        };
        most = most.min(transactions::held_by_payment(tx, &payment)?.refundable());
    }
    if new.amount > most {
        return Err(exceeds(Field::Amount, new.amount, most));
    }
    Ok(())
}

fn assemble(tx: &WriteTx<'_>, order: &Order, new: &NewTransaction) -> Transaction {
    Transaction {
        id: tx.new_id(),
        order_id: order.id,
        kind: new.kind,
        status: new.status,
        amount: new.amount,
        currency: order.currency,
        provider: new.provider.clone(),
        provider_ref: new.provider_ref.clone(),
        payment_id: new.payment_id,
        reason: new.reason.clone(),
        occurred_at: new.occurred_at.unwrap_or_else(|| tx.now()),
        recorded_at: tx.now(),
    }
}

/// Inserts `transaction`, with its audit entry and event, and updates `order`.
fn book(
    tx: &WriteTx<'_>,
    actor: &Actor,
    order: &mut Order,
    transaction: &Transaction,
    action: &'static str,
) -> Result<Effect> {
    transactions::insert(tx, order.seq, order.user_id, transaction)?;
    audit::record(tx, actor, action, Some(&transaction.id), &audited(order, transaction))?;
    let event = update_order(tx, actor, order, transaction, EventType::recorded)?;
    Ok(Effect::of_event(Outcome::Created(Resource::Transaction(transaction.id)), event))
}

/// What the audit trail shows of a transaction.
fn audited(order: &Order, transaction: &Transaction) -> serde_json::Value {
    serde_json::json!({
        "order_id": order.id.to_string(), "kind": transaction.kind.name(), "status": transaction.status.name(),
        "amount": transaction.amount, "currency": transaction.currency.to_string(),
    })
}

/// Adds `transaction` to the sums of `order`, stores the order and records the event.
fn update_order(
    tx: &WriteTx<'_>,
    actor: &Actor,
    order: &mut Order,
    transaction: &Transaction,
    event: impl FnOnce(Kind) -> EventType,
) -> Result<Recorded> {
    let before = order.clone();
    if transaction.status == TransactionStatus::Succeeded {
        match transaction.kind {
            Kind::Payment => order.paid_amount = add_payment(order.paid_amount, transaction.amount)?,
            Kind::Refund => order.refunded_amount += transaction.amount,
        }
        order.update_payment_status();
    }
    order.version += 1;
    order.updated_at = tx.now();
    orders::update(tx, &before, order)?;
    let document = TransactionView::with_order(transaction, order);
    history::record(tx, actor, event(transaction.kind), order, &document)
}

/// The sum of payments, which like every amount is at most [`MAX_AMOUNT`].
fn add_payment(paid: i64, payment: i64) -> Result<i64> {
    amount(i128::from(paid) + i128::from(payment)).ok_or_else(|| {
        let most = MAX_AMOUNT - paid;
        Error::invalid(vec![Fault::new(Field::Amount, "too_large", format!("must be at most {most}"))])
    })
}
