//! Payments and refunds that an import brings along with their order. They are booked in memory, oldest first, before
//! the order is inserted with the sums that result. The limits are those of new refunds; what failed, was voided or was
//! reversed stands in the way of nothing.

use super::{audit, history, put, refund, refuse_duplicate, returned_items};
use crate::{
    auth::Actor,
    domain::{
        credit::{RefundRequest, RefundTerms},
        event::EventType,
        history::PastTransaction,
        money::MAX_AMOUNT,
        order::{Order, OrderStatus},
        transaction::{Held, Kind, Transaction, TransactionStatus},
    },
    error::{Error, Fault, Field, Result, problem},
    service::views::TransactionView,
    store::{WriteTx, transactions},
};

/// The sums of the transactions that are booked so far.
#[derive(Default)]
struct Books {
    of_order: Held,
    /// Of each transaction, if it is a payment: its money, and the refunds that name it.
    of_payments: Vec<Held>,
    booked: Vec<Transaction>,
}

/// Books `past` on `order`, which has its status and times but no transactions yet.
///
/// # Errors
/// Those of recording a payment or refund. Their faults name the transaction.
pub(in crate::service) fn book_past(
    tx: &WriteTx<'_>,
    order: &mut Order,
    past: &[PastTransaction],
) -> Result<Vec<Transaction>> {
    if let (Some(_), None) = (past.first(), order.placed_at) {
        let fault = Fault::new(Field::Transactions, "unexpected", "must be empty: the order was never placed");
        return Err(Error::new(&problem::ORDER_NOT_PLACED).with_faults(vec![fault]));
    }
    let mut books = Books::default();
    for (index, past) in past.iter().enumerate() {
        books.add(tx, order, past).map_err(|error| error.in_transaction(index))?;
    }
    Ok(books.booked)
}

impl Books {
    fn add(&mut self, tx: &WriteTx<'_>, order: &mut Order, past: &PastTransaction) -> Result<()> {
        if past.stands() {
            self.refuse_duplicate(tx, past)?;
        }
        let terms = match past.kind {
            Kind::Payment => RefundTerms { amount: past.amount, ..RefundTerms::default() },
            Kind::Refund => self.terms(order, past)?,
        };
        let mut transaction = self.assemble(tx, order, past, terms);
        if order.status == OrderStatus::Cancelled && transaction.status == TransactionStatus::Pending {
            // The cancellation took the credit away.
            transaction = transaction.without_credit();
        }
        put(order, None, &transaction)?;
        self.count(past);
        self.booked.push(transaction);
        Ok(())
    }

    /// A provider's transaction is recorded once, in this order and in all others.
    fn refuse_duplicate(&self, tx: &WriteTx<'_>, past: &PastTransaction) -> Result<()> {
        let stands = |earlier: &&Transaction| {
            matches!(earlier.status, TransactionStatus::Pending | TransactionStatus::Succeeded)
        };
        let name = (past.kind, &past.provider, &past.provider_ref);
        let is_named = past.provider.is_some() && past.provider_ref.is_some();
        let mut standing = self.booked.iter().filter(stands);
        if is_named && standing.any(|earlier| (earlier.kind, &earlier.provider, &earlier.provider_ref) == name) {
            let fault = Fault::new(Field::ProviderRef, "duplicate", "must differ from those of earlier transactions");
            return Err(Error::new(&problem::DUPLICATE_TRANSACTION).with_faults(vec![fault]));
        }
        refuse_duplicate(tx, past.kind, past.provider.as_deref(), past.provider_ref.as_deref())
    }

    fn terms(&self, order: &Order, past: &PastTransaction) -> Result<RefundTerms> {
        let mut credits = order.credits(self.of_order);
        // A stated credit shows which of two entries of the same instant came first.
        credits.is_cancelled = order.cancelled_at.is_some_and(|at| match past.credit_amount {
            None => past.occurred_at >= at,
            Some(0) => false,
            Some(_) => past.occurred_at > at,
        });
        if let Some(payment) = past.payment {
            let succeeded = self.booked[payment].status == TransactionStatus::Succeeded;
            if past.stands() && !succeeded {
                let fault = Fault::new(Field::PaymentId, "unknown", "must be a succeeded payment of this order");
                return Err(Error::invalid(vec![fault]));
            }
            credits.refundable = credits.refundable.min(self.of_payments[payment].refundable());
        }
        if !past.stands() {
            credits.refundable = MAX_AMOUNT;
        }
        // Goods that were worth nothing, or what a cancellation has left of a pending refund.
        let is_of_nothing = past.amount == 0 && past.credit_amount == Some(0);
        if is_of_nothing && (!past.returns.is_empty() || order.cancelled_at.is_some()) {
            return refund::returns_alone(&credits, &past.returns);
        }
        let (amount, credit_amount) = (Some(past.amount), past.credit_amount);
        refund::decide(&credits, &RefundRequest { amount, credit_amount, returns: &past.returns })
    }

    fn assemble(&self, tx: &WriteTx<'_>, order: &Order, past: &PastTransaction, terms: RefundTerms) -> Transaction {
        Transaction {
            id: tx.new_id(),
            order_id: order.id,
            order_number: order.number,
            kind: past.kind,
            status: past.status,
            amount: terms.amount,
            items: returned_items(order, &terms),
            credit_taxes: terms.taxes,
            currency: order.currency,
            provider: past.provider.clone(),
            provider_ref: past.provider_ref.clone(),
            payment_id: past.payment.map(|payment| self.booked[payment].id),
            reason: past.reason.clone(),
            occurred_at: past.occurred_at,
            recorded_at: tx.now(),
            reversed_at: match past.status {
                TransactionStatus::Reversed => Some(past.reversed_at.unwrap_or(past.occurred_at)),
                _ => None,
            },
            personal: None,
        }
    }

    fn count(&mut self, past: &PastTransaction) {
        let mut moved = Held::default();
        match (past.kind, past.status) {
            (Kind::Payment, TransactionStatus::Succeeded) => moved.paid = past.amount,
            (Kind::Refund, TransactionStatus::Succeeded) => moved.refunded = past.amount,
            (Kind::Refund, TransactionStatus::Pending) => moved.pending_refunds = past.amount,
            _ => {}
        }
        self.of_order.add(moved);
        self.of_payments.push(if past.kind == Kind::Payment { moved } else { Held::default() });
        if let Some(payment) = past.payment {
            self.of_payments[payment].add(moved);
        }
    }
}

/// Inserts the transactions of `order`, which was inserted with their sums. `created` is the order before them: each is
/// recorded by an event after that.
pub(in crate::service) fn insert_past(
    tx: &WriteTx<'_>,
    actor: &Actor,
    mut created: Order,
    order: &Order,
    booked: &[Transaction],
) -> Result<()> {
    for transaction in booked {
        let mut transaction = transaction.clone();
        transactions::insert(tx, order, &mut transaction)?;
        put(&mut created, None, &transaction)?;
        created.version += 1;
        let document = TransactionView::with_order(&transaction, &created).impersonal();
        history::record(tx, actor, EventType::recorded(transaction.kind), &created, &document, transaction.personal)?;
    }
    let changes = serde_json::json!({
        "number": order.number, "status": order.status.name(), "currency": order.currency.to_string(),
        "transactions": booked.len(), "paid_amount": order.paid_amount, "refunded_amount": order.refunded_amount,
        "credited_amount": order.credited_amount,
    });
    audit::record(tx, actor, "orders.import", Some(&order.id), &changes)
}
