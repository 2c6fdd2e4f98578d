//! The rows of exported lists: the scalar fields that every document of a list has, in the order of the document.

use super::export::{Cell, Row};
use crate::{
    domain::{order::Order, time::Timestamp, transaction::Transaction},
    service::{
        orders::OrderWithTransactions,
        views::{
            AsText, AuditView, DeliveryView, EventView, KeyView, OrderView, RoleView, SessionView, TransactionView,
            UserView, WebhookView,
        },
    },
};
use serde::{Serialize, Serializer};
use std::fmt::Display;

/// The text of a domain value.
pub(crate) fn shown<T: Display>(value: &AsText<T>) -> Cell<'static> {
    Cell::Text(value.0.to_string().into())
}

pub(crate) fn shown_or_empty<T: Display>(value: Option<&AsText<T>>) -> Cell<'static> {
    value.map_or(Cell::Empty, shown)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "fields are borrowed, as in `shown`")]
fn time(value: &AsText<Timestamp>) -> Cell<'static> {
    Cell::Time(value.0)
}

fn time_or_empty(value: Option<&AsText<Timestamp>>) -> Cell<'static> {
    value.map_or(Cell::Empty, time)
}

pub(crate) fn text(value: Option<&str>) -> Cell<'_> {
    value.map_or(Cell::Empty, |text| Cell::Text(text.into()))
}

/// An order in an export, with its transactions if they are asked for.
pub(crate) struct OrderRow {
    order: Order,
    transactions: Option<Vec<Transaction>>,
}

impl From<Order> for OrderRow {
    fn from(order: Order) -> Self {
        Self { order, transactions: None }
    }
}

impl From<OrderWithTransactions> for OrderRow {
    fn from(OrderWithTransactions { order, transactions }: OrderWithTransactions) -> Self {
        Self { order, transactions: Some(transactions) }
    }
}

impl Serialize for OrderRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let transactions = self.transactions.as_ref().map(|list| list.iter().map(TransactionView::from).collect());
        OrderView { transactions, ..OrderView::from(&self.order) }.serialize(serializer)
    }
}

impl Row for OrderRow {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "number",
        "status",
        "payment_status",
        "currency",
        "prices_include_tax",
        "user_id",
        "external_ref",
        "subtotal_amount",
        "order_discount_amount",
        "discount_amount",
        "fee_amount",
        "tax_amount",
        "total_amount",
        "paid_amount",
        "refunded_amount",
        "credited_amount",
        "credited_tax_amount",
        "balance_amount",
        "note",
        "version",
        "created_by",
        "created_at",
        "updated_at",
        "placed_at",
        "confirmed_at",
        "fulfilled_at",
        "cancelled_at",
        "cancel_reason",
        "customer_name",
        "customer_email",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        let order = OrderView::from(&self.order);
        vec![
            shown(&order.id),
            order.number.map_or(Cell::Empty, Cell::Number),
            shown(&order.status),
            shown(&order.payment_status),
            shown(&order.currency),
            boolean(order.prices_include_tax),
            shown_or_empty(order.user_id.as_ref()),
            text(order.external_ref),
            Cell::Amount(order.subtotal_amount.into(), order.currency.0),
            Cell::Amount(order.order_discount_amount.into(), order.currency.0),
            Cell::Amount(order.discount_amount.into(), order.currency.0),
            Cell::Amount(order.fee_amount.into(), order.currency.0),
            Cell::Amount(order.tax_amount.into(), order.currency.0),
            Cell::Amount(order.total_amount.into(), order.currency.0),
            Cell::Amount(order.paid_amount.into(), order.currency.0),
            Cell::Amount(order.refunded_amount.into(), order.currency.0),
            Cell::Amount(order.credited_amount.into(), order.currency.0),
            Cell::Amount(order.credited_tax_amount.into(), order.currency.0),
            Cell::Amount(order.balance_amount.into(), order.currency.0),
            text(order.note),
            Cell::Number(order.version),
            Cell::Text(order.created_by.into()),
            time(&order.created_at),
            time(&order.updated_at),
            time_or_empty(order.placed_at.as_ref()),
            time_or_empty(order.confirmed_at.as_ref()),
            time_or_empty(order.fulfilled_at.as_ref()),
            time_or_empty(order.cancelled_at.as_ref()),
            text(order.cancel_reason),
            text(order.customer.as_ref().and_then(|customer| customer.name)),
            text(order.customer.as_ref().and_then(|customer| customer.email)),
        ]
    }
}

/// A payment or refund in a list.
pub(crate) struct TransactionRow(pub(crate) Transaction);

impl Serialize for TransactionRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TransactionView::from(&self.0).serialize(serializer)
    }
}

impl Row for TransactionRow {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "order_id",
        "order_number",
        "kind",
        "status",
        "amount",
        "credit_amount",
        "credit_tax_amount",
        "currency",
        "provider",
        "provider_ref",
        "payment_id",
        "reason",
        "occurred_at",
        "recorded_at",
        "reversed_at",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        let transaction = TransactionView::from(&self.0);
        vec![
            shown(&transaction.id),
            shown(&transaction.order_id),
            transaction.order_number.map_or(Cell::Empty, Cell::Number),
            shown(&transaction.kind),
            shown(&transaction.status),
            Cell::Amount(transaction.amount.into(), transaction.currency.0),
            Cell::Amount(transaction.credit_amount.into(), transaction.currency.0),
            Cell::Amount(transaction.credit_tax_amount.into(), transaction.currency.0),
            shown(&transaction.currency),
            text(transaction.provider),
            text(transaction.provider_ref),
            shown_or_empty(transaction.payment_id.as_ref()),
            text(transaction.reason),
            time(&transaction.occurred_at),
            time(&transaction.recorded_at),
            time_or_empty(transaction.reversed_at.as_ref()),
        ]
    }
}

impl Row for EventView {
    const COLUMNS: &'static [&'static str] = &[
        "seq",
        "id",
        "type",
        "order_id",
        "order_number",
        "version",
        "actor",
        "actor_name",
        "request_id",
        "occurred_at",
        "data",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Number(self.seq),
            shown(&self.id),
            shown(&self.kind),
            shown(&self.order_id),
            self.order_number.map_or(Cell::Empty, Cell::Number),
            Cell::Number(self.version),
            Cell::Text(self.actor.as_str().into()),
            text(self.actor_name.as_deref()),
            Cell::Text(self.request_id.as_str().into()),
            time(&self.occurred_at),
            Cell::Text(self.data.0.as_str().into()),
        ]
    }
}

pub(crate) fn boolean(value: bool) -> Cell<'static> {
    Cell::Text(if value { "true" } else { "false" }.into())
}

/// Values with a space between them.
fn words<T: Display>(values: &[AsText<T>]) -> Cell<'static> {
    let texts: Vec<_> = values.iter().map(|value| value.0.to_string()).collect();
    Cell::Text(texts.join(" ").into())
}

impl Row for UserView {
    const COLUMNS: &'static [&'static str] =
        &["id", "email", "name", "role", "status", "second_factor", "created_at", "updated_at", "last_login_at"];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            shown(&self.id),
            text(self.email.as_deref()),
            text(self.name.as_deref()),
            text(Some(&self.role)),
            shown(&self.status),
            boolean(self.second_factor),
            time(&self.created_at),
            time(&self.updated_at),
            time_or_empty(self.last_login_at.as_ref()),
        ]
    }
}

impl Row for SessionView {
    const COLUMNS: &'static [&'static str] =
        &["id", "created_at", "last_used_at", "expires_at", "ip", "user_agent", "current"];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            shown(&self.id),
            time(&self.created_at),
            time(&self.last_used_at),
            time(&self.expires_at),
            text(self.ip.as_deref()),
            text(self.user_agent.as_deref()),
            boolean(self.current),
        ]
    }
}

impl Row for RoleView {
    const COLUMNS: &'static [&'static str] = &["name", "permissions", "built_in"];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![text(Some(&self.name)), words(&self.permissions), boolean(self.built_in)]
    }
}

impl Row for KeyView {
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "prefix", "permissions", "created_by", "created_at", "expires_at", "last_used_at"];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            shown(&self.id),
            text(Some(&self.name)),
            text(Some(&self.prefix)),
            words(&self.permissions),
            shown(&self.created_by),
            time(&self.created_at),
            time_or_empty(self.expires_at.as_ref()),
            time_or_empty(self.last_used_at.as_ref()),
        ]
    }
}

impl Row for AuditView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "occurred_at",
        "actor",
        "actor_name",
        "action",
        "target",
        "address",
        "request_id",
        "outcome",
        "changes",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            shown(&self.id),
            time(&self.occurred_at),
            text(Some(&self.actor)),
            text(self.actor_name.as_deref()),
            text(Some(&self.action)),
            text(self.target.as_deref()),
            text(self.address.as_deref()),
            text(Some(&self.request_id)),
            shown(&self.outcome),
            Cell::Text(serde_json::Value::Object(self.changes.clone()).to_string().into()),
        ]
    }
}

impl Row for WebhookView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "url",
        "events",
        "description",
        "status",
        "disabled_reason",
        "failing_since",
        "previous_secret_until",
        "created_at",
        "updated_at",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            shown(&self.id),
            Cell::Text(self.url.as_str().into()),
            self.events.as_deref().map_or(Cell::Empty, words),
            text(self.description.as_deref()),
            shown(&self.status),
            shown_or_empty(self.disabled_reason.as_ref()),
            time_or_empty(self.failing_since.as_ref()),
            time_or_empty(self.previous_secret_until.as_ref()),
            time(&self.created_at),
            time(&self.updated_at),
        ]
    }
}

impl Row for DeliveryView {
    const COLUMNS: &'static [&'static str] = &["id", "event_id", "type", "status", "attempts", "next_attempt_at"];

    /// Of the attempts, their number.
    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            shown(&self.id),
            shown(&self.event_id),
            Cell::Text(self.kind.as_str().into()),
            shown(&self.status),
            Cell::Number(i64::try_from(self.attempts.len()).unwrap_or(i64::MAX)),
            time_or_empty(self.next_attempt_at.as_ref()),
        ]
    }
}
