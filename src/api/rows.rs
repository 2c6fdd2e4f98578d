//! The rows of exported lists: the scalar fields of each document, in the document's order.

use super::export::{Cell, Row};
use crate::service::views::{EventView, OrderView, Shown, TransactionView};
use std::fmt::Display;

fn shown<T: Display>(value: &Shown<T>) -> Cell<'static> {
    Cell::Text(value.0.to_string().into())
}

fn shown_or_empty<T: Display>(value: Option<&Shown<T>>) -> Cell<'static> {
    value.map_or(Cell::Empty, shown)
}

fn text(value: Option<&str>) -> Cell<'_> {
    value.map_or(Cell::Empty, |text| Cell::Text(text.into()))
}

impl Row for OrderView<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "number",
        "status",
        "payment_status",
        "currency",
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
        vec![
            shown(&self.id),
            self.number.map_or(Cell::Empty, Cell::Number),
            shown(&self.status),
            shown(&self.payment_status),
            shown(&self.currency),
            shown_or_empty(self.user_id.as_ref()),
            text(self.external_ref),
            Cell::Number(self.subtotal_amount),
            Cell::Number(self.order_discount_amount),
            Cell::Number(self.discount_amount),
            Cell::Number(self.fee_amount),
            Cell::Number(self.tax_amount),
            Cell::Number(self.total_amount),
            Cell::Number(self.paid_amount),
            Cell::Number(self.refunded_amount),
            Cell::Number(self.balance_amount),
            text(self.note),
            Cell::Number(self.version),
            Cell::Text(self.created_by.into()),
            shown(&self.created_at),
            shown(&self.updated_at),
            shown_or_empty(self.placed_at.as_ref()),
            shown_or_empty(self.confirmed_at.as_ref()),
            shown_or_empty(self.fulfilled_at.as_ref()),
            shown_or_empty(self.cancelled_at.as_ref()),
            text(self.cancel_reason),
            text(self.customer.as_ref().and_then(|customer| customer.name)),
            text(self.customer.as_ref().and_then(|customer| customer.email)),
        ]
    }
}

impl Row for TransactionView<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "order_id",
        "kind",
        "status",
        "amount",
        "currency",
        "provider",
        "provider_ref",
        "payment_id",
        "reason",
        "occurred_at",
        "recorded_at",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            shown(&self.id),
            shown(&self.order_id),
            shown(&self.kind),
            shown(&self.status),
            Cell::Number(self.amount),
            shown(&self.currency),
            text(self.provider),
            text(self.provider_ref),
            shown_or_empty(self.payment_id.as_ref()),
            text(self.reason),
            shown(&self.occurred_at),
            shown(&self.recorded_at),
        ]
    }
}

impl Row for EventView {
    const COLUMNS: &'static [&'static str] =
        &["seq", "id", "type", "order_id", "version", "actor", "request_id", "occurred_at", "data"];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Number(self.seq),
            shown(&self.id),
            shown(&self.kind),
            shown(&self.order_id),
            Cell::Number(self.version),
            Cell::Text(self.actor.as_str().into()),
            Cell::Text(self.request_id.as_str().into()),
            shown(&self.occurred_at),
            Cell::Text(self.data.get().into()),
        ]
    }
}
