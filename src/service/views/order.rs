//! An order as clients see it.

use super::AsText;
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
    /// Its identifier.
    pub id: AsText<OrderId>,
    /// Gap-free number; a draft has none.
    #[schemars(range(min = 1))]
    pub number: Option<i64>,
    /// Where it stands.
    pub status: AsText<OrderStatus>,
    /// How its payments stand.
    pub payment_status: AsText<PaymentStatus>,
    /// The currency of every amount.
    pub currency: AsText<Currency>,
    /// Whether unit amounts and fees include tax.
    pub prices_include_tax: bool,
    /// Whose order it is.
    pub user_id: Option<AsText<UserId>>,
    /// The caller's own identifier, unique among all orders.
    pub external_ref: Option<&'a str>,
    /// What is ordered.
    pub items: Vec<ItemView<'a>>,
    /// Charged beside the items.
    pub fees: Vec<FeeView<'a>>,
    /// Σ quantity × unit, in minor units.
    pub subtotal_amount: i64,
    /// Taken off the whole.
    pub order_discount_amount: i64,
    /// Line discounts and the order's own.
    pub discount_amount: i64,
    /// Σ fees.
    pub fee_amount: i64,
    /// Σ tax of items and fees.
    pub tax_amount: i64,
    /// Net amount and tax by rate over items and fees: the highest rate first, those without a rate last.
    pub taxes: Vec<TaxView>,
    /// Σ totals of items and fees.
    pub total_amount: i64,
    /// Σ succeeded payments.
    pub paid_amount: i64,
    /// Σ succeeded refunds.
    pub refunded_amount: i64,
    /// How much less is owed because of succeeded refunds.
    pub credited_amount: i64,
    /// Tax in the credited amount.
    pub credited_tax_amount: i64,
    /// total − credited − (paid − refunded), of a cancelled order −(paid − refunded): what is still owed; negative when
    /// money is held that is not owed.
    pub balance_amount: i64,
    /// Who it is for.
    pub customer: Option<CustomerView<'a>>,
    /// Free text.
    pub note: Option<&'a str>,
    /// The caller's own data.
    pub metadata: &'a BTreeMap<String, String>,
    /// The number of its events; also the `ETag`.
    #[schemars(range(min = 1))]
    pub version: i64,
    /// What can be done to its status now.
    pub allowed_transitions: Vec<AsText<Transition>>,
    /// Who made it: a user, an API key or `system`.
    pub created_by: &'a str,
    /// When it was made.
    pub created_at: AsText<Timestamp>,
    /// When it last changed.
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
}

/// A line of an order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Item")]
pub struct ItemView<'a> {
    /// Its identifier.
    pub id: AsText<ItemId>,
    /// Stock-keeping unit.
    pub sku: &'a str,
    /// What the customer sees.
    pub name: &'a str,
    /// How many.
    pub quantity: i64,
    /// How many of them came back with succeeded refunds.
    pub returned_quantity: i64,
    /// Price of one, in minor units.
    pub unit_amount: i64,
    /// Taken off the line.
    pub discount_amount: i64,
    /// The line's share of the order's discount.
    pub allocated_discount_amount: i64,
    /// Percent, where the tax came of a rate.
    pub tax_rate: Option<AsText<TaxRate>>,
    /// Tax on the net amount.
    pub tax_amount: i64,
    /// Net amount and tax.
    pub total_amount: i64,
}

/// Something charged beside the items.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fee")]
pub struct FeeView<'a> {
    /// What the customer sees.
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

/// Who an order is for.
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
        }
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
