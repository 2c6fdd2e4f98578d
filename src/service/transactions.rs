//! Payments and refunds: recording them, resolving pending ones, and what an order comes to by them. Refunds never
//! exceed payments, whatever races: every check and its effect are one transaction of the single writer.

use super::{
    audit,
    history::{self, Recorded},
    idempotency::{IdempotentRequest, Reply},
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
        order::{Order, OrderStatus},
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
    /// Which way the money goes.
    pub kind: Kind,
    /// Pending or succeeded.
    pub status: TransactionStatus,
    /// Minor units, > 0.
    pub amount: i64,
    /// Who moves the money.
    pub provider: Option<String>,
    /// The provider's own identifier.
    pub provider_ref: Option<String>,
    /// For a refund: the payment that it gives back.
    pub payment_id: Option<TransactionId>,
    /// Why.
    pub reason: Option<String>,
    /// When the money moved; now, if the caller does not say.
    pub occurred_at: Option<Timestamp>,
}

impl NewTransaction {
    /// Money that has just moved, of which nothing else is known.
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

/// The permission that recording and resolving needs.
const fn permission(kind: Kind) -> Permission {
    match kind {
        Kind::Payment => Permission::PaymentsWrite,
        Kind::Refund => Permission::RefundsWrite,
    }
}

/// Records a payment or refund of an order.
pub async fn record(
    app: &App,
    actor: Actor,
    attempt: IdempotentRequest,
    id: OrderId,
    new: NewTransaction,
) -> Result<Reply> {
    actor.require(permission(new.kind))?;
    app.store
        .write(operation(new.kind), move |tx| {
            let mut order = orders::by_id(tx, id)?.ok_or_else(Error::absent)?;
            attempt.run(tx, &actor, || add(tx, &actor, &mut order, &new))
        })
        .await
}

/// The name of recording one of this kind.
const fn operation(kind: Kind) -> &'static str {
    match kind {
        Kind::Payment => "payments.create",
        Kind::Refund => "refunds.create",
    }
}

/// Records a payment or refund of `order`, which then shows it.
pub(super) fn add(tx: &WriteTx<'_>, actor: &Actor, order: &mut Order, new: &NewTransaction) -> Result<Reply> {
    // A provider's message that comes again is told so, whatever has become of the order since.
    refuse_duplicate(tx, new)?;
    refuse_state(order, new.kind)?;
    if new.kind == Kind::Refund {
        refuse_excess(tx, order, new)?;
    }
    book(tx, actor, order, &assemble(tx, order, new), operation(new.kind))
}

/// Resolves a pending transaction.
pub async fn resolve(
    app: &App,
    actor: Actor,
    attempt: IdempotentRequest,
    id: TransactionId,
    (status, occurred_at): (TransactionStatus, Option<Timestamp>),
) -> Result<Reply> {
    app.store
        .write("transactions.update", move |tx| {
            let mut transaction = transactions::by_id(tx, id)?.ok_or_else(Error::absent)?;
            actor.require(permission(transaction.kind))?;
            attempt.run(tx, &actor, || {
                let mut order = orders::by_id(tx, transaction.order_id)?.ok_or_else(Error::absent)?;
                if transaction.status == status {
                    let body = TransactionView::with_order(&transaction, &order);
                    return Ok(Reply::new(200, serde_json::to_string(&body).map_err(Error::internal)?));
                }
                if transaction.status != TransactionStatus::Pending {
                    return Err(Error::new(&problem::INVALID_TRANSITION)
                        .detail(format!("A transaction that is {} stays so.", transaction.status))
                        .member("current_status", transaction.status.name())
                        .member("allowed_transitions", Vec::<String>::new()));
                }
                transaction.status = status;
                transaction.occurred_at = occurred_at.unwrap_or(transaction.occurred_at);
                transactions::resolve(tx, order.user_id, &transaction)?;
                audit::record(tx, &actor, "transactions.update", Some(&id), &audited(&order, &transaction))?;
                let event = account(tx, &actor, &mut order, &transaction, EventType::updated)?;
                Ok(Reply::of_event(200, event))
            })
        })
        .await
}

/// The transaction of this identifier, if the actor may read its order.
pub async fn get(app: &App, actor: &Actor, id: TransactionId) -> Result<String> {
    app.store
        .read("transactions.get", |tx| {
            let transaction = transactions::by_id(tx, id)?.ok_or_else(Error::absent)?;
            readable_order(tx, actor, transaction.order_id)?;
            serde_json::to_string(&TransactionView::from(&transaction)).map_err(Error::internal)
        })
        .await
}

/// An order's transactions, newest first, if the actor may read the order. The key of one is its row.
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

/// Books what goes back when `order` is cancelled; the caller has made sure that it is held.
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

/// A refund of `amount` where only `most` is left.
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

fn refuse_state(order: &Order, kind: Kind) -> Result<()> {
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

fn book(
    tx: &WriteTx<'_>,
    actor: &Actor,
    order: &mut Order,
    transaction: &Transaction,
    action: &'static str,
) -> Result<Reply> {
    transactions::insert(tx, order.seq, order.user_id, transaction)?;
    audit::record(tx, actor, action, Some(&transaction.id), &audited(order, transaction))?;
    let event = account(tx, actor, order, transaction, EventType::recorded)?;
    Ok(Reply::of_event(201, event).at(format!("/v1/transactions/{}", transaction.id)))
}

/// A transaction as the audit trail shows it.
fn audited(order: &Order, transaction: &Transaction) -> serde_json::Value {
    serde_json::json!({
        "order_id": order.id.to_string(), "kind": transaction.kind.name(), "status": transaction.status.name(),
        "amount": transaction.amount, "currency": transaction.currency.to_string(),
    })
}

/// Brings the order up to date with its transactions and records what happened.
fn account(
    tx: &WriteTx<'_>,
    actor: &Actor,
    order: &mut Order,
    transaction: &Transaction,
    event: impl FnOnce(Kind) -> EventType,
) -> Result<Recorded> {
    let before = order.clone();
    if transaction.status == TransactionStatus::Succeeded {
        match transaction.kind {
            Kind::Payment => order.paid_amount = within_bounds(order.paid_amount, transaction.amount)?,
            Kind::Refund => order.refunded_amount += transaction.amount,
        }
        order.settle_payment_status();
    }
    order.version += 1;
    order.updated_at = tx.now();
    orders::update(tx, &before, order)?;
    let document = TransactionView::with_order(transaction, order);
    history::record(tx, actor, event(transaction.kind), order, &document)
}

/// Amounts are exact integers for every reader, sums of them included.
fn within_bounds(paid: i64, amount: i64) -> Result<i64> {
    crate::domain::money::amount(i128::from(paid) + i128::from(amount)).ok_or_else(|| {
        let most = crate::domain::money::MAX_AMOUNT - paid;
        Error::invalid(vec![Fault::new(Field::Amount, "too_large", format!("must be at most {most}"))])
    })
}
