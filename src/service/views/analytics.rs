//! Figures as clients see them.

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

/// The answer to a question about figures.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report<R> {
    /// What counts: money that moved (`cash`) or orders that were placed (`booked`).
    #[schemars(extend("enum" = ["cash", "booked"]))]
    pub basis: &'static str,
    /// The time zone of the days.
    pub tz: String,
    /// The first day.
    pub from: AsText<Date>,
    /// The last day.
    pub to: AsText<Date>,
    /// When this was computed; every order acknowledged before is in it.
    pub generated_at: AsText<Timestamp>,
    /// The figures, per currency: currencies are never added together.
    pub data: Vec<R>,
    /// Where this page stands, for paged reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<PageInfo>,
}

/// A day in one currency. Amounts are minor units.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DailyRow {
    /// The day.
    pub date: AsText<Date>,
    /// The currency.
    pub currency: AsText<Currency>,
    /// Orders placed that day.
    pub orders_placed: i128,
    /// Orders cancelled that day after placing.
    pub orders_cancelled: i128,
    /// Payments (cash) or totals of the orders placed (booked).
    pub gross_amount: i128,
    /// Refunds (cash).
    pub refunded_amount: i128,
    /// How much less is owed because of refunds (booked).
    pub credited_amount: i128,
    /// What the orders cancelled came to: their totals less their credits (booked).
    pub cancelled_amount: i128,
    /// What is left: gross less refunded, credited and cancelled.
    pub net_amount: i128,
    /// Tax of the orders placed.
    pub tax_amount: i128,
    /// Tax in the credits of refunds.
    pub credited_tax_amount: i128,
    /// Tax in what the orders cancelled came to.
    pub cancelled_tax_amount: i128,
    /// Tax that is left: tax less credited and cancelled tax.
    pub net_tax_amount: i128,
    /// Mean total of the orders placed, rounded half away from zero; 0 without orders.
    pub average_order_amount: i128,
}

/// What one user brought in, in one currency. Amounts are minor units.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RevenueRow {
    /// The user; none for orders of nobody.
    pub user_id: Option<AsText<UserId>>,
    /// Their e-mail address.
    pub email: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// The currency.
    pub currency: AsText<Currency>,
    /// Orders placed in the range.
    pub orders: i128,
    /// Payments (cash) or totals of the orders placed (booked).
    pub gross_amount: i128,
    /// Refunds (cash).
    pub refunded_amount: i128,
    /// How much less is owed because of refunds (booked).
    pub credited_amount: i128,
    /// What the orders cancelled came to: their totals less their credits (booked).
    pub cancelled_amount: i128,
    /// What is left: gross less refunded, credited and cancelled.
    pub net_amount: i128,
}

/// What was sold of one SKU in one currency, in orders that were placed in the range and not cancelled. Goods that came
/// back are left out.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TopItemRow {
    /// Stock-keeping unit.
    pub sku: String,
    /// Its name in the newest of these orders.
    pub name: String,
    /// The currency.
    pub currency: AsText<Currency>,
    /// How many pieces.
    pub quantity: i128,
    /// Orders that have it.
    pub orders: i128,
    /// The totals of its lines together, in minor units.
    pub total_amount: i128,
}

/// What orders came to at one tax rate in one currency: placed less credited and cancelled, each on its own day. Amounts
/// are minor units.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TaxRow {
    /// Percent; `null` for items and fees without a rate.
    pub tax_rate: Option<AsText<TaxRate>>,
    /// The currency.
    pub currency: AsText<Currency>,
    /// Amounts without tax.
    pub net_amount: i128,
    /// Tax on them; those of all rates together are the net tax of the days.
    pub tax_amount: i128,
}

/// The orders placed in the range that have this status now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusRow {
    /// Where they stand.
    pub status: AsText<OrderStatus>,
    /// How their payments stand.
    pub payment_status: AsText<PaymentStatus>,
    /// Their currency.
    pub currency: AsText<Currency>,
    /// How many.
    pub orders: i128,
    /// Their totals together, in minor units.
    pub total_amount: i128,
}

/// Stored figures against a recomputation from the rows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reconciliation {
    /// Whether everything agrees.
    pub ok: bool,
    /// When this was computed; everything acknowledged before is in it.
    pub generated_at: AsText<Timestamp>,
    /// What was compared.
    pub checks: Vec<ReconciliationCheck>,
}

/// A kind of figure.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReconciliationCheck {
    /// What was compared: a summary and the width of its buckets, or sums that orders carry.
    pub name: &'static str,
    /// Whether every single value agrees, not the totals alone.
    pub ok: bool,
    /// As it is stored.
    pub stored: ReconciliationSide,
    /// As the rows say.
    pub recomputed: ReconciliationSide,
}

/// What one side comes to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReconciliationSide {
    /// The sum of each value by currency, in orders and in minor units.
    pub totals: BTreeMap<String, BTreeMap<&'static str, i128>>,
    /// Stands for every single value, so that a value in the wrong place shows too.
    #[schemars(regex(pattern = "^[0-9a-f]{32}$"))]
    pub digest: String,
}
