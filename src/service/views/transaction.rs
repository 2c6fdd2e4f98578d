//! The JSON document of a payment or refund.

use super::{AsText, TaxView};
use crate::domain::{
    id::{ItemId, OrderId, TransactionId},
    money::Currency,
    order::Order,
    time::Timestamp,
    transaction::{Kind, PaymentStatus, ReturnedItem, Transaction, TransactionStatus},
};
use schemars::JsonSchema;
use serde::Serialize;

/// A payment or refund.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Transaction")]
pub struct TransactionView<'a> {
    /// Identifier of the transaction.
    pub id: AsText<TransactionId>,
    /// Identifier of its order.
    pub order_id: AsText<OrderId>,
    /// Its number.
    #[schemars(range(min = 1))]
    pub order_number: Option<i64>,
    /// Payment or refund.
    pub kind: AsText<Kind>,
    /// Status of the transaction.
    pub status: AsText<TransactionStatus>,
    /// Minor units.
    #[schemars(range(min = 0))]
    pub amount: i64,
    /// For a refund: how much less the order owes, minor units.
    pub credit_amount: i64,
    /// Tax in the credit.
    pub credit_tax_amount: i64,
    /// The credit by rate.
    pub credit_taxes: Vec<TaxView>,
    /// The goods that came back with the refund.
    pub items: Option<Vec<ReturnView>>,
    /// The order's currency.
    pub currency: AsText<Currency>,
    /// The company that moves the money.
    pub provider: Option<&'a str>,
    /// The provider's identifier of the transaction.
    pub provider_ref: Option<&'a str>,
    /// For a refund: the payment that it refunds.
    pub payment_id: Option<AsText<TransactionId>>,
    /// Reason, for people.
    pub reason: Option<&'a str>,
    /// When the money moved.
    pub occurred_at: AsText<Timestamp>,
    /// When it was recorded here.
    pub recorded_at: AsText<Timestamp>,
    /// When it stopped counting, if it was reversed.
    pub reversed_at: Option<AsText<Timestamp>>,
    /// The order after this change. Only in responses to a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderMoney>,
}

/// Goods that came back.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Return")]
pub struct ReturnView {
    /// The item.
    pub item_id: AsText<ItemId>,
    /// How many.
    #[schemars(range(min = 1))]
    pub quantity: i64,
}

impl ReturnView {
    fn list(items: &[ReturnedItem]) -> Option<Vec<Self>> {
        let view = |item: &ReturnedItem| Self { item_id: AsText(item.item_id), quantity: item.quantity };
        (!items.is_empty()).then(|| items.iter().map(view).collect())
    }
}

/// The money of an order.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderMoney {
    /// Identifier of the order.
    pub id: AsText<OrderId>,
    /// Version of the order.
    pub version: i64,
    /// Payment status of the order.
    pub payment_status: AsText<PaymentStatus>,
    /// Sum of succeeded payments.
    pub paid_amount: i64,
    /// Sum of succeeded refunds.
    pub refunded_amount: i64,
    /// How much less is owed because of succeeded refunds.
    pub credited_amount: i64,
    /// What is still owed.
    pub balance_amount: i64,
}

impl<'a> From<&'a Transaction> for TransactionView<'a> {
    fn from(transaction: &'a Transaction) -> Self {
        Self {
            id: AsText(transaction.id),
            order_id: AsText(transaction.order_id),
            order_number: transaction.order_number,
            kind: AsText(transaction.kind),
            status: AsText(transaction.status),
            amount: transaction.amount,
            credit_amount: transaction.credit_amount(),
            credit_tax_amount: transaction.credit_tax_amount(),
            credit_taxes: transaction.credit_taxes.iter().copied().map(TaxView::from).collect(),
            items: ReturnView::list(&transaction.items),
            currency: AsText(transaction.currency),
            provider: transaction.provider.as_deref(),
            provider_ref: transaction.provider_ref.as_deref(),
            payment_id: transaction.payment_id.map(AsText),
            reason: transaction.reason.as_deref(),
            occurred_at: AsText(transaction.occurred_at),
            recorded_at: AsText(transaction.recorded_at),
            reversed_at: transaction.reversed_at.map(AsText),
            order: None,
        }
    }
}

impl<'a> TransactionView<'a> {
    /// The document with `null` for personal data, as it is stored.
    #[must_use]
    pub fn impersonal(self) -> Self {
        Self { reason: None, ..self }
    }

    /// The transaction together with the money of its order.
    pub fn with_order(transaction: &'a Transaction, order: &Order) -> Self {
        let money = OrderMoney {
            id: AsText(order.id),
            version: order.version,
            payment_status: AsText(order.payment_status),
            paid_amount: order.paid_amount,
            refunded_amount: order.refunded_amount,
            credited_amount: order.credited_amount,
            balance_amount: order.balance_amount(),
        };
        Self { order: Some(money), ..Self::from(transaction) }
    }
}
