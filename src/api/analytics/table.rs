//! The CSV columns of each report, in the order of the fields in JSON.

use crate::{
    api::output::{
        csv_rows::{shown, shown_or_empty, text},
        export::{Cell, Row},
    },
    service::views::{DailyRow, RevenueRow, StatusRow, TaxRow, TopItemRow},
};

impl Row for DailyRow {
    const COLUMNS: &'static [&'static str] = &[
        "date",
        "currency",
        "orders_placed",
        "orders_cancelled",
        "gross_amount",
        "refunded_amount",
        "credited_amount",
        "cancelled_amount",
        "net_amount",
        "tax_amount",
        "credited_tax_amount",
        "cancelled_tax_amount",
        "net_tax_amount",
        "average_order_amount",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            shown(&self.date),
            shown(&self.currency),
            Cell::Sum(self.orders_placed),
            Cell::Sum(self.orders_cancelled),
            Cell::Amount(self.gross_amount, self.currency.0),
            Cell::Amount(self.refunded_amount, self.currency.0),
            Cell::Amount(self.credited_amount, self.currency.0),
            Cell::Amount(self.cancelled_amount, self.currency.0),
            Cell::Amount(self.net_amount, self.currency.0),
            Cell::Amount(self.tax_amount, self.currency.0),
            Cell::Amount(self.credited_tax_amount, self.currency.0),
            Cell::Amount(self.cancelled_tax_amount, self.currency.0),
            Cell::Amount(self.net_tax_amount, self.currency.0),
            Cell::Amount(self.average_order_amount, self.currency.0),
        ]
    }
}

impl Row for RevenueRow {
    const COLUMNS: &'static [&'static str] = &[
        "user_id",
        "email",
        "name",
        "currency",
        "orders",
        "gross_amount",
        "refunded_amount",
        "credited_amount",
        "cancelled_amount",
        "net_amount",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            shown_or_empty(self.user_id.as_ref()),
            text(self.email.as_deref()),
            text(self.name.as_deref()),
            shown(&self.currency),
            Cell::Sum(self.orders),
            Cell::Amount(self.gross_amount, self.currency.0),
            Cell::Amount(self.refunded_amount, self.currency.0),
            Cell::Amount(self.credited_amount, self.currency.0),
            Cell::Amount(self.cancelled_amount, self.currency.0),
            Cell::Amount(self.net_amount, self.currency.0),
        ]
    }
}

impl Row for StatusRow {
    const COLUMNS: &'static [&'static str] = &["status", "payment_status", "currency", "orders", "total_amount"];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            shown(&self.status),
            shown(&self.payment_status),
            shown(&self.currency),
            Cell::Sum(self.orders),
            Cell::Amount(self.total_amount, self.currency.0),
        ]
    }
}

impl Row for TopItemRow {
    const COLUMNS: &'static [&'static str] = &["sku", "name", "currency", "quantity", "orders", "total_amount"];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            text(Some(&self.sku)),
            text(Some(&self.name)),
            shown(&self.currency),
            Cell::Sum(self.quantity),
            Cell::Sum(self.orders),
            Cell::Amount(self.total_amount, self.currency.0),
        ]
    }
}

impl Row for TaxRow {
    const COLUMNS: &'static [&'static str] = &["tax_rate", "currency", "net_amount", "tax_amount"];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            shown_or_empty(self.tax_rate.as_ref()),
            shown(&self.currency),
            Cell::Amount(self.net_amount, self.currency.0),
            Cell::Amount(self.tax_amount, self.currency.0),
        ]
    }
}
