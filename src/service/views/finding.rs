//! The documents that help to find something: counts of orders, and what was sold before.

use super::AsText;
use crate::domain::{
    money::{Currency, TaxRate},
    order::OrderStatus,
    time::Timestamp,
    transaction::PaymentStatus,
};
use schemars::JsonSchema;
use serde::Serialize;

/// How many orders there are by status.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderCounts {
    /// One entry for each pair of statuses that an order has.
    pub data: Vec<OrderCount>,
}

/// The number of orders with a status and a payment status.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct OrderCount {
    pub status: AsText<OrderStatus>,
    pub payment_status: AsText<PaymentStatus>,
    #[schemars(range(min = 1))]
    pub orders: i64,
}

/// What was sold before.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SoldItems {
    /// The newest first; at most twenty.
    pub data: Vec<SoldItemView>,
}

/// A SKU as it was last sold in a currency.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SoldItem")]
pub struct SoldItemView {
    /// SKU.
    pub sku: String,
    /// Newest name.
    pub name: String,
    /// Currency of the price.
    pub currency: AsText<Currency>,
    /// Newest price of one, minor units.
    pub unit_amount: i64,
    /// Newest tax rate in percent.
    pub tax_rate: Option<AsText<TaxRate>>,
    /// When the order was placed.
    pub last_sold_at: AsText<Timestamp>,
}
