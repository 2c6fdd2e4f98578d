//! The JSON documents of reports.

use super::{AsText, PageInfo};
use crate::domain::{
    calendar::Date,
    id::UserId,
    money::{Currency, TaxRate},
    order::OrderStatus,
    time::Timestamp,
    transaction::PaymentStatus,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A report.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{R}Report")]
pub struct Report<R> {
    /// What the report counts: payments and refunds (`cash`), or placed orders (`booked`).
    #[schemars(extend("enum" = ["cash", "booked"]))]
    pub basis: &'static str,
    /// Time zone of the days.
    pub tz: String,
    /// First day.
    pub from: AsText<Date>,
    /// Last day.
    pub to: AsText<Date>,
    /// When the report was computed. It includes every change acknowledged before.
    pub generated_at: AsText<Timestamp>,
    /// Rows, each in one currency. Currencies are never added together.
    pub data: Vec<R>,
    /// Position of this page, for paged reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<PageInfo>,
}

/// One day in one currency. Amounts are minor units.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DailyRow {
    /// Day.
    pub date: AsText<Date>,
    /// Currency of the amounts.
    pub currency: AsText<Currency>,
    /// Number of orders placed on this day.
    pub orders_placed: i128,
    /// Number of placed orders cancelled on this day.
    pub orders_cancelled: i128,
    /// Sum of payments (cash), or of the totals of the orders placed (booked).
    pub gross_amount: i128,
    /// Sum of refunds (cash).
    pub refunded_amount: i128,
    /// Sum of the credits of refunds (booked).
    pub credited_amount: i128,
    /// Sum of the totals of the orders cancelled, less their credits (booked).
    pub cancelled_amount: i128,
    /// Gross − refunded − credited − cancelled.
    pub net_amount: i128,
    /// Sum of the tax of the orders placed.
    pub tax_amount: i128,
    /// Sum of the tax in the credits of refunds.
    pub credited_tax_amount: i128,
    /// Sum of the tax of the orders cancelled, less that in their credits.
    pub cancelled_tax_amount: i128,
    /// Tax − credited tax − cancelled tax.
    pub net_tax_amount: i128,
    /// Mean total of the orders placed, rounded half away from zero. 0 without orders.
    pub average_order_amount: i128,
}

/// The revenue from one user in one currency. Amounts are minor units.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RevenueRow {
    /// Identifier of the user. Null for orders without a user.
    pub user_id: Option<AsText<UserId>>,
    /// E-mail address of the user.
    pub email: Option<String>,
    /// Name of the user.
    pub name: Option<String>,
    /// Currency of the amounts.
    pub currency: AsText<Currency>,
    /// Number of orders placed in the range.
    pub orders: i128,
    /// Sum of payments (cash), or of the totals of the orders placed (booked).
    pub gross_amount: i128,
    /// Sum of refunds (cash).
    pub refunded_amount: i128,
    /// Sum of the credits of refunds (booked).
    pub credited_amount: i128,
    /// Sum of the totals of the orders cancelled, less their credits (booked).
    pub cancelled_amount: i128,
    /// Gross − refunded − credited − cancelled.
    pub net_amount: i128,
}

/// The sales of one SKU in one currency, in orders that were placed in the range and not cancelled. Returned goods are
/// left out.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TopItemRow {
    /// Stock-keeping unit.
    pub sku: String,
    /// Name of the item in the newest of these orders.
    pub name: String,
    /// Currency of the amounts.
    pub currency: AsText<Currency>,
    /// Number of pieces.
    pub quantity: i128,
    /// Number of orders with this SKU.
    pub orders: i128,
    /// Sum of the totals of its lines, in minor units.
    pub total_amount: i128,
}

/// The net amount and tax at one rate in one currency: of the orders placed in the range, less what was credited and
/// cancelled in it. Amounts are minor units.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TaxRow {
    /// Percent. Null for items and fees without a rate.
    pub tax_rate: Option<AsText<TaxRate>>,
    /// Currency of the amounts.
    pub currency: AsText<Currency>,
    /// Amount without tax.
    pub net_amount: i128,
    /// Tax on it. The sum over all rates is the sum of the daily net tax.
    pub tax_amount: i128,
}

/// The orders placed in the range that have this status and payment status now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusRow {
    /// Status of the orders.
    pub status: AsText<OrderStatus>,
    /// Payment status of the orders.
    pub payment_status: AsText<PaymentStatus>,
    /// Currency of the orders.
    pub currency: AsText<Currency>,
    /// Number of orders.
    pub orders: i128,
    /// Sum of their totals, in minor units.
    pub total_amount: i128,
}

/// The comparison of stored sums with sums recomputed from the rows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reconciliation {
    /// Whether all checks agree.
    pub ok: bool,
    /// When it was computed. It includes every change acknowledged before.
    pub generated_at: AsText<Timestamp>,
    /// The checks.
    pub checks: Vec<ReconciliationCheck>,
}

/// The comparison of one kind of sum.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReconciliationCheck {
    /// What was compared: a rollup and the width of its buckets, or sums in the rows of orders.
    pub name: &'static str,
    /// Whether every single value agrees, and not only the totals.
    pub ok: bool,
    /// The stored sums.
    pub stored: ReconciliationSide,
    /// The recomputed sums.
    pub recomputed: ReconciliationSide,
}

/// One side of a comparison.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReconciliationSide {
    /// Total of each value by currency: numbers of orders and amounts in minor units.
    pub totals: BTreeMap<String, BTreeMap<&'static str, i128>>,
    /// Digest of every single value, so that a value in the wrong bucket shows even if the totals agree.
    #[schemars(regex(pattern = "^[0-9a-f]{32}$"))]
    pub digest: String,
}
