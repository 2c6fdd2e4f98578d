//! Payments and refunds: recording them, resolving pending ones, and keeping the sums of their order.
//!
//! Refunds never exceed payments, also when requests race: each check runs in the transaction of its effect, and there
//! is one writer.

mod list;
mod past;
mod refund;

pub use list::{export, list};
pub(super) use past::{book_past, insert_past};
pub(super) use refund::exceeds;

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
        credit::{RefundTerms, ReturnedGoods},
        event::EventType,
        id::{ItemId, OrderId, TransactionId},
        order::{Order, TooMuchPaid},
        outcome::{Outcome, Resource},
        permission::Permission,
        time::Timestamp,
        transaction::{Kind, ReturnedItem, Transaction, TransactionStatus},
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
    /// Minor units. A refund of goods may leave it out: then it is their credit, as far as that can be refunded.
    pub amount: Option<i64>,
    /// For a refund: how much less the order owes, in minor units. None means that it is computed.
    pub credit_amount: Option<i64>,
    /// For a refund: the goods that came back.
    pub returns: Vec<NewReturn>,
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

/// Goods that came back with a refund.
#[derive(Clone, Copy, Debug)]
pub struct NewReturn {
    /// The item.
    pub item_id: ItemId,
    /// At least 1.
    pub quantity: i64,
}

impl NewTransaction {
    /// A transaction that succeeds now, without further details.
    pub(super) fn succeeded(kind: Kind, amount: i64) -> Self {
        Self {
            kind,
            status: TransactionStatus::Succeeded,
            amount: Some(amount),
            credit_amount: None,
            returns: vec![],
            provider: None,
            provider_ref: None,
            payment_id: None,
            reason: None,
            occurred_at: None,
        }
    }
}

/// A change of a transaction's status.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// Its new status.
    pub status: TransactionStatus,
    /// The amount of a pending payment that succeeds for less, in minor units.
    pub amount: Option<i64>,
    /// Replaces the reason.
    pub reason: Option<String>,
    /// When the money moved, or when a reversed transaction stops counting. None keeps the time that was recorded; for
    /// a reversal it means now.
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
/// `FORBIDDEN`; `NOT_FOUND`; `DUPLICATE_TRANSACTION`; `ORDER_NOT_PLACED`; `REFUND_EXCEEDS_PAID`;
/// `CREDIT_EXCEEDS_TOTAL`; `RETURN_EXCEEDS_QUANTITY`; `VALIDATION_FAILED`; those of [`IdempotentRequest::run`].
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
    // Before the other checks: a provider that repeats a message must hear that it is known, whatever the order's
    // status.
    refuse_duplicate(tx, new.kind, new.provider.as_deref(), new.provider_ref.as_deref())?;
    if order.placed_at.is_none() {
        return Err(Error::new(&problem::ORDER_NOT_PLACED));
    }
    let terms = match new.kind {
        Kind::Payment => RefundTerms { amount: new.amount.unwrap_or_default(), ..RefundTerms::default() },
        Kind::Refund => refund::terms(tx, order, new)?,
    };
    book(tx, actor, order, assemble(tx, order, new, terms), operation(new.kind))
}

/// Changes the status of a transaction: resolves a pending one, or reverses one that was recorded by mistake.
///
/// # Errors
/// `NOT_FOUND`; `FORBIDDEN`; `INVALID_TRANSITION`; `VALIDATION_FAILED`; `REFUND_EXCEEDS_PAID` if refunds still need the
/// payment; those of [`IdempotentRequest::run`].
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
                    let document = TransactionView::with_order(&before, &order).impersonal();
                    let document = history::split(tx, &document, before.personal)?;
                    return Ok(Effect::new(Outcome::Unchanged, document));
                }
                change(tx, &actor, &mut order, &before, &resolution)
            })
        })
        .await
}

/// Changes a transaction of `order` and updates `order`.
pub(super) fn change(
    tx: &WriteTx<'_>,
    actor: &Actor,
    order: &mut Order,
    before: &Transaction,
    resolution: &Resolution,
) -> Result<Effect> {
    let mut after = resolved(tx, before, resolution)?;
    if after.status == TransactionStatus::Reversed && after.kind == Kind::Payment {
        refund::refuse_needed_payment(tx, order, before)?;
    }
    transactions::update(tx, order, before, &mut after)?;
    audit::record(tx, actor, "transactions.update", Some(&after.id), &audited(order, &after))?;
    let event = update_order(tx, actor, order, Some(before), &after)?;
    Ok(Effect::of_event(Outcome::Changed, event))
}

/// The transaction after the change of its status.
fn resolved(tx: &WriteTx<'_>, before: &Transaction, resolution: &Resolution) -> Result<Transaction> {
    if !before.status.next().contains(&resolution.status) {
        return Err(not_allowed(before, resolution.status));
    }
    let mut after = Transaction { status: resolution.status, ..before.clone() };
    if let Some(reason) = &resolution.reason {
        after.reason = Some(reason.clone());
    }
    if let Some(amount) = resolution.amount {
        after.amount = captured_amount(before, resolution.status, amount)?;
    }
    if after.status == TransactionStatus::Reversed {
        let at = resolution.occurred_at.unwrap_or_else(|| tx.now().max(before.occurred_at));
        if at < before.occurred_at {
            let detail = format!("must be {} or later, when the money moved", before.occurred_at);
            return Err(Error::invalid(vec![Fault::new(Field::OccurredAt, "out_of_range", detail)]));
        }
        after.reversed_at = Some(at);
    } else if let Some(at) = resolution.occurred_at {
        after.occurred_at = at;
    }
    Ok(after)
}

/// The amount of a pending payment that succeeds for less.
fn captured_amount(before: &Transaction, status: TransactionStatus, amount: i64) -> Result<i64> {
    let fault = |code, detail| Err(Error::invalid(vec![Fault::new(Field::Amount, code, detail)]));
    if (before.kind, status) != (Kind::Payment, TransactionStatus::Succeeded) {
        return fault("unexpected", "can be sent only when a pending payment succeeds".to_owned());
    }
    if amount > before.amount {
        return fault("too_large", format!("must be at most {}, the amount of the pending payment", before.amount));
    }
    Ok(amount)
}

fn not_allowed(transaction: &Transaction, status: TransactionStatus) -> Error {
    let allowed: Vec<_> = transaction.status.next().iter().map(|status| status.name()).collect();
    Error::new(&problem::INVALID_TRANSITION)
        .detail(format!("A transaction that is {} cannot become {status}.", transaction.status))
        .member("current_status", transaction.status.name())
        .member("allowed_transitions", allowed)
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
    let found = app.store.read("orders.transactions", |tx| {
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
    let terms = refund::terms(tx, order, &new)?;
    book(tx, actor, order, assemble(tx, order, &new, terms), "orders.cancel").map(drop)
}

/// Sets the credits of the pending refunds of an order to 0 when it is cancelled: from then on it owes nothing.
pub(super) fn drop_pending_credits(tx: &WriteTx<'_>, order: &mut Order) -> Result<()> {
    for before in transactions::pending_refunds(tx, order.seq)? {
        let mut after = before.without_credit();
        transactions::update(tx, order, &before, &mut after)?;
        put(order, Some(&before), &after)?;
    }
    Ok(())
}

fn refuse_duplicate(tx: &ReadTx<'_>, kind: Kind, provider: Option<&str>, reference: Option<&str>) -> Result<()> {
    let (Some(provider), Some(reference)) = (provider, reference) else { return Ok(()) };
    match transactions::by_provider_ref(tx, kind, provider, reference)? {
        Some(existing) => Err(Error::new(&problem::DUPLICATE_TRANSACTION)
            .member("existing_transaction_id", existing.id.to_string())
            .member("existing_order_id", existing.order_id.to_string())),
        None => Ok(()),
    }
}

fn assemble(tx: &WriteTx<'_>, order: &Order, new: &NewTransaction, terms: RefundTerms) -> Transaction {
    Transaction {
        id: tx.new_id(),
        order_id: order.id,
        order_number: order.number,
        kind: new.kind,
        status: new.status,
        amount: terms.amount,
        items: returned_items(order, &terms),
        credit_taxes: terms.taxes,
        currency: order.currency,
        provider: new.provider.clone(),
        provider_ref: new.provider_ref.clone(),
        payment_id: new.payment_id,
        reason: new.reason.clone(),
        occurred_at: new.occurred_at.unwrap_or_else(|| tx.now()),
        recorded_at: tx.now(),
        reversed_at: None,
        personal: None,
    }
}

/// The goods of a refund, by the identifiers of their lines.
fn returned_items(order: &Order, terms: &RefundTerms) -> Vec<ReturnedItem> {
    let returned = |part: &ReturnedGoods| ReturnedItem {
        item_id: order.items[part.line].id,
        quantity: part.quantity,
        credit_amount: part.credit_amount,
        credit_tax_amount: part.credit_tax_amount,
    };
    terms.returns.iter().map(returned).collect()
}

/// Inserts `transaction`, with its audit entry and event, and updates `order`.
fn book(
    tx: &WriteTx<'_>,
    actor: &Actor,
    order: &mut Order,
    mut transaction: Transaction,
    action: &'static str,
) -> Result<Effect> {
    transactions::insert(tx, order, &mut transaction)?;
    audit::record(tx, actor, action, Some(&transaction.id), &audited(order, &transaction))?;
    let event = update_order(tx, actor, order, None, &transaction)?;
    Ok(Effect::of_event(Outcome::Created(Resource::Transaction(transaction.id)), event))
}

/// What the audit trail shows of a transaction.
fn audited(order: &Order, transaction: &Transaction) -> serde_json::Value {
    serde_json::json!({
        "order_id": order.id.to_string(), "kind": transaction.kind.name(), "status": transaction.status.name(),
        "amount": transaction.amount, "credit_amount": transaction.credit_amount(), "currency": transaction.currency.to_string(),
    })
}

/// Takes a transaction over into the sums of `order`, stores the order and records the event.
fn update_order(
    tx: &WriteTx<'_>,
    actor: &Actor,
    order: &mut Order,
    before: Option<&Transaction>,
    after: &Transaction,
) -> Result<Recorded> {
    let order_before = order.clone();
    put(order, before, after)?;
    order.version += 1;
    order.updated_at = tx.now();
    orders::update(tx, &order_before, order)?;
    let event = if before.is_some() { EventType::updated(after.kind) } else { EventType::recorded(after.kind) };
    let document = TransactionView::with_order(after, order).impersonal();
    history::record(tx, actor, event, order, &document, after.personal)
}

fn put(order: &mut Order, before: Option<&Transaction>, after: &Transaction) -> Result<()> {
    order.put_transaction(before, after).map_err(|TooMuchPaid(most)| {
        Error::invalid(vec![Fault::new(Field::Amount, "too_large", format!("must be at most {most}"))])
    })
}
