//! The limits of refunds: how much money can go back, how much can be credited, and which goods can come back.

use super::{NewReturn, NewTransaction};
use crate::{
    domain::{
        credit::{CreditFault, Credits, RefundRequest, RefundTerms, Return},
        id::TransactionId,
        order::Order,
        transaction::{Held, Kind, Transaction, TransactionStatus},
    },
    error::{Error, Fault, Field, ItemField, Result, problem},
    store::{ReadTx, transactions},
};

/// How much money goes back with a refund, and how much less the order owes.
pub(super) fn terms(tx: &ReadTx<'_>, order: &Order, new: &NewTransaction) -> Result<RefundTerms> {
    let returns = returns(order, &new.returns)?;
    let mut credits = order.credits(transactions::held_by_order(tx, order.seq)?);
    if let Some(id) = new.payment_id {
        credits.refundable = credits.refundable.min(payment_of(tx, order, id)?.refundable());
    }
    decide(&credits, &RefundRequest { amount: new.amount, credit_amount: new.credit_amount, returns: &returns })
}

/// Goods that come back without money or credit, as far as `credits` allow it.
pub(super) fn returns_alone(credits: &Credits, returns: &[Return]) -> Result<RefundTerms> {
    let request = RefundRequest { amount: Some(0), credit_amount: Some(0), returns };
    credits.returns_alone(returns).map_err(|faults| refused(&faults, &request))
}

/// How much money goes back and how it is credited, as far as `credits` allow it.
pub(super) fn decide(credits: &Credits, request: &RefundRequest<'_>) -> Result<RefundTerms> {
    let terms = credits.refund(request).map_err(|faults| refused(&faults, request))?;
    if terms.amount > credits.refundable {
        return Err(exceeds(Field::Amount, terms.amount, credits.refundable));
    }
    Ok(terms)
}

/// The goods that came back, by the position of their items.
fn returns(order: &Order, returns: &[NewReturn]) -> Result<Vec<Return>> {
    let (mut found, mut faults) = (Vec::with_capacity(returns.len()), vec![]);
    for (index, part) in returns.iter().enumerate() {
        if let Some(line) = order.items.iter().position(|item| item.id == part.item_id) {
            found.push(Return { line, quantity: part.quantity });
        } else {
            let field = Field::Item(index, ItemField::ItemId);
            faults.push(Fault::new(field, "unknown", "must be the id of an item of this order"));
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(Error::invalid(faults)) }
}

/// The error for a refund that cannot be credited.
fn refused(faults: &[CreditFault], request: &RefundRequest<'_>) -> Error {
    let fault = |fault: &CreditFault| match *fault {
        CreditFault::ReturnExceedsQuantity { index, most } => {
            let detail = format!("must be at most {most}: no more is left to return");
            Fault::new(Field::Item(index, ItemField::Quantity), "too_large", detail)
        }
        CreditFault::CreditExceedsTotal { most } => {
            let field = if request.credit_amount.is_some() { Field::CreditAmount } else { Field::Items };
            Fault::new(
                field,
                "too_large",
                match most {
                    0 => "must be left out: nothing is left to credit".to_owned(),
                    most => format!("must be at most {most}: no more is left to credit"),
                },
            )
        }
        CreditFault::AmountRequired => Fault::new(Field::Amount, "required", "must be sent unless items are"),
        CreditFault::NothingGoesBack => Fault::new(
            Field::Amount,
            "too_small",
            "must be more than 0 unless the refund credits something; leave it out to record returned goods alone",
        ),
    };
    let problem = match faults[0] {
        CreditFault::ReturnExceedsQuantity { .. } => &problem::RETURN_EXCEEDS_QUANTITY,
        CreditFault::CreditExceedsTotal { .. } => &problem::CREDIT_EXCEEDS_TOTAL,
        CreditFault::AmountRequired | CreditFault::NothingGoesBack => &problem::VALIDATION_FAILED,
    };
    Error::new(problem).with_faults(faults.iter().map(fault).collect())
}

/// The sums over a succeeded payment of `order` and its refunds.
fn payment_of(tx: &ReadTx<'_>, order: &Order, id: TransactionId) -> Result<Held> {
    let payment = transactions::by_id(tx, id)?.filter(|payment| {
        payment.order_id == order.id && payment.kind == Kind::Payment && payment.status == TransactionStatus::Succeeded
    });
    let Some(payment) = payment else {
        let detail = "must be a succeeded payment of this order";
        return Err(Error::invalid(vec![Fault::new(Field::PaymentId, "unknown", detail)]));
    };
    transactions::held_by_payment(tx, &payment)
}

/// Refuses to reverse a payment whose money was refunded, or is to be refunded.
pub(super) fn refuse_needed_payment(tx: &ReadTx<'_>, order: &Order, payment: &Transaction) -> Result<()> {
    let of_payment = transactions::held_by_payment(tx, payment)?;
    let most = transactions::held_by_order(tx, order.seq)?.refundable();
    if most < payment.amount || of_payment.refundable() < payment.amount {
        return Err(Error::new(&problem::REFUND_EXCEEDS_PAID)
            .detail("Refunds need the money of this payment. Reverse or void them first."));
    }
    Ok(())
}

/// The error for a refund of `amount` when at most `most` can be refunded.
pub(in crate::service) fn exceeds(field: Field, amount: i64, most: i64) -> Error {
    Error::new(&problem::REFUND_EXCEEDS_PAID)
        .detail(format!("{most} is left to refund; {amount} was asked for."))
        .with_faults(vec![Fault::new(field, "too_large", format!("must be at most {most}"))])
}
