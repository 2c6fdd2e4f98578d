//! The JSON document of an order.

use super::{AsText, TransactionView};
use crate::domain::{
    id::{ItemId, OrderId, UserId},
    money::{Currency, TaxRate},
    order::{Customer, Item, Order, OrderFee, OrderStatus, Transition},
    pricing::TaxLine,
    time::Timestamp,
    transaction::PaymentStatus,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// An order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Order")]
pub struct OrderView<'a> {
    /// Identifier of the order.
    pub id: AsText<OrderId>,
    /// Number of the order. Numbers have no gaps, except those that an import left; a draft has none.
    #[schemars(range(min = 1))]
    pub number: Option<i64>,
    /// Status of the order.
    pub status: AsText<OrderStatus>,
    /// Payment status of the order.
    pub payment_status: AsText<PaymentStatus>,
    /// Currency of every amount.
    pub currency: AsText<Currency>,
    /// Whether unit amounts and fees include tax.
    pub prices_include_tax: bool,
    /// The user that the order belongs to.
    pub user_id: Option<AsText<UserId>>,
    /// Your own identifier, unique among all orders.
    pub external_ref: Option<&'a str>,
    /// The items ordered.
    pub items: Vec<ItemView<'a>>,
    /// Charges besides the items, such as shipping.
    pub fees: Vec<FeeView<'a>>,
    /// Sum of quantity × unit amount, in minor units.
    pub subtotal_amount: i64,
    /// Discount on the whole order.
    pub order_discount_amount: i64,
    /// Discounts on items plus the discount on the whole order.
    pub discount_amount: i64,
    /// Sum of the fees.
    pub fee_amount: i64,
    /// Σ tax of items and fees.
    pub tax_amount: i64,
    /// Net amount and tax by rate over items and fees: the highest rate first, those without a rate last.
    pub taxes: Vec<TaxView>,
    /// Σ totals of items and fees.
    pub total_amount: i64,
    /// Sum of succeeded payments.
    pub paid_amount: i64,
    /// Sum of succeeded refunds.
    pub refunded_amount: i64,
    /// How much less is owed because of succeeded refunds.
    pub credited_amount: i64,
    /// Tax in the credited amount.
    pub credited_tax_amount: i64,
    /// total − credited − (paid − refunded), of a cancelled order −(paid − refunded): what is still owed; negative when
    /// money is held that is not owed.
    pub balance_amount: i64,
    /// The customer.
    pub customer: Option<CustomerView<'a>>,
    /// Free text.
    pub note: Option<&'a str>,
    /// Your own data.
    pub metadata: &'a BTreeMap<String, String>,
    /// Version of the order, which is the number of its events; also the `ETag`.
    #[schemars(range(min = 1))]
    pub version: i64,
    /// Transitions that the present status allows.
    pub allowed_transitions: Vec<AsText<Transition>>,
    /// Identifier of the user or API key that created it, or `system`.
    pub created_by: &'a str,
    /// When it was created.
    pub created_at: AsText<Timestamp>,
    /// When it was last changed.
    pub updated_at: AsText<Timestamp>,
    /// When it was placed.
    pub placed_at: Option<AsText<Timestamp>>,
    /// When it was confirmed.
    pub confirmed_at: Option<AsText<Timestamp>>,
    /// When it was fulfilled.
    pub fulfilled_at: Option<AsText<Timestamp>>,
    /// When it was cancelled.
    pub cancelled_at: Option<AsText<Timestamp>>,
    /// Why it was cancelled.
    pub cancel_reason: Option<&'a str>,
    /// Its payments and refunds, oldest first. Only in lists with `include=transactions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Vec<TransactionView<'a>>>,
}

/// A line of an order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Item")]
pub struct ItemView<'a> {
    /// Identifier of the item.
    pub id: AsText<ItemId>,
    /// Stock-keeping unit.
    pub sku: &'a str,
    /// Name that the customer sees.
    pub name: &'a str,
    /// Number of pieces.
    pub quantity: i64,
    /// How many of them came back with succeeded refunds.
    pub returned_quantity: i64,
    /// Price of one, in minor units.
    pub unit_amount: i64,
    /// Discount on the whole line.
    pub discount_amount: i64,
    /// The line's share of the order's discount.
    pub allocated_discount_amount: i64,
    /// Percent, where the tax came of a rate.
    pub tax_rate: Option<AsText<TaxRate>>,
    /// Tax on the net amount.
    pub tax_amount: i64,
    /// Net amount plus tax.
    pub total_amount: i64,
}

/// A charge besides the items, such as shipping.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fee")]
pub struct FeeView<'a> {
    /// Name that the customer sees.
    pub name: &'a str,
    /// Minor units.
    pub amount: i64,
    /// Percent, where the tax came of a rate.
    pub tax_rate: Option<AsText<TaxRate>>,
    /// Tax on the net amount.
    pub tax_amount: i64,
    /// Net amount and tax.
    pub total_amount: i64,
}

/// Net amount and tax at one rate, in minor units.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Tax")]
pub struct TaxView {
    /// Percent; `null` for items and fees without a rate.
    pub tax_rate: Option<AsText<TaxRate>>,
    /// Amount without tax.
    pub net_amount: i64,
    /// Tax on it.
    pub tax_amount: i64,
}

impl From<TaxLine> for TaxView {
    fn from(line: TaxLine) -> Self {
        Self { tax_rate: line.rate.map(AsText), net_amount: line.net_amount, tax_amount: line.tax_amount }
    }
}

/// The customer of an order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Customer")]
pub struct CustomerView<'a> {
    /// Full name.
    pub name: Option<&'a str>,
    /// E-mail address.
    pub email: Option<&'a str>,
    /// Telephone number.
    pub phone: Option<&'a str>,
    /// Postal address.
    pub address: Option<&'a str>,
}

impl<'a> From<&'a Order> for OrderView<'a> {
    fn from(order: &'a Order) -> Self {
        Self {
            id: AsText(order.id),
            number: order.number,
            status: AsText(order.status),
            payment_status: AsText(order.payment_status),
            currency: AsText(order.currency),
            prices_include_tax: order.prices_include_tax,
            user_id: order.user_id.map(AsText),
            external_ref: order.external_ref.as_deref(),
            items: order.items.iter().map(ItemView::from).collect(),
            fees: order.fees.iter().map(FeeView::from).collect(),
            subtotal_amount: order.totals.subtotal,
            order_discount_amount: order.order_discount_amount,
            discount_amount: order.totals.discount,
            fee_amount: order.totals.fee,
            tax_amount: order.totals.tax,
            taxes: order.taxes.iter().map(|tax| tax.whole.into()).collect(),
            total_amount: order.totals.total,
            paid_amount: order.paid_amount,
            refunded_amount: order.refunded_amount,
            credited_amount: order.credited_amount,
            credited_tax_amount: order.credited_tax_amount,
            balance_amount: order.balance_amount(),
            customer: order.customer.as_ref().map(CustomerView::from),
            note: order.note.as_deref(),
            metadata: &order.metadata,
            version: order.version,
            allowed_transitions: order.status.allowed_transitions().map(AsText).collect(),
            created_by: &order.created_by,
            created_at: AsText(order.created_at),
            updated_at: AsText(order.updated_at),
            placed_at: order.placed_at.map(AsText),
            confirmed_at: order.confirmed_at.map(AsText),
            fulfilled_at: order.fulfilled_at.map(AsText),
            cancelled_at: order.cancelled_at.map(AsText),
            cancel_reason: order.cancel_reason.as_deref(),
            transactions: None,
        }
    }
}

impl OrderView<'_> {
    /// The document with `null` for personal data, as it is stored.
    #[must_use]
    pub fn impersonal(self) -> Self {
        Self { customer: None, note: None, cancel_reason: None, ..self }
    }
}

impl<'a> From<&'a Item> for ItemView<'a> {
    fn from(Item { id, line, totals, returns }: &'a Item) -> Self {
        Self {
            id: AsText(*id),
            sku: &line.sku,
            name: &line.name,
            quantity: line.quantity,
            returned_quantity: returns.quantity,
            unit_amount: line.unit_amount,
            discount_amount: line.discount_amount,
            allocated_discount_amount: totals.allocated_discount_amount,
            tax_rate: line.tax.rate().map(AsText),
            tax_amount: totals.tax_amount,
            total_amount: totals.total_amount,
        }
    }
}

impl<'a> From<&'a OrderFee> for FeeView<'a> {
    fn from(OrderFee { fee, totals }: &'a OrderFee) -> Self {
        Self {
            name: &fee.name,
            amount: fee.amount,
            tax_rate: fee.tax.rate().map(AsText),
            tax_amount: totals.tax_amount,
            total_amount: totals.total_amount,
        }
    }
}

impl<'a> From<&'a Customer> for CustomerView<'a> {
    fn from(customer: &'a Customer) -> Self {
        Self {
            name: customer.name.as_deref(),
            email: customer.email.as_deref(),
            phone: customer.phone.as_deref(),
            address: customer.address.as_deref(),
        }
    }
}
