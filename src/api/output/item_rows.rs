//! Exports of orders with a row for each item and fee.

use super::{
    csv_rows::{boolean, shown, shown_or_empty, text},
    export::{Cell, Row},
};
use crate::{
    domain::order::Order,
    service::views::{FeeView, ItemView, OrderView},
};
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// An item or a fee of an order.
pub(crate) struct ItemRow {
    order: Arc<Order>,
    part: Part,
}

enum Part {
    Item(usize),
    Fee(usize),
}

impl ItemRow {
    /// The rows of an order: its items, then its fees.
    pub(crate) fn of(order: Order) -> Vec<Self> {
        let order = Arc::new(order);
        let parts = (0..order.items.len()).map(Part::Item).chain((0..order.fees.len()).map(Part::Fee));
        parts.map(|part| Self { order: Arc::clone(&order), part }).collect()
    }
}

/// Only CSV has rows for items.
impl Serialize for ItemRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        OrderView::from(&*self.order).serialize(serializer)
    }
}

impl Row for ItemRow {
    const COLUMNS: &'static [&'static str] = &[
        "number",
        "external_ref",
        "placed_at",
        "status",
        "currency",
        "prices_include_tax",
        "customer_name",
        "customer_email",
        "id",
        "sku",
        "name",
        "quantity",
        "returned_quantity",
        "unit_amount",
        "discount_amount",
        "allocated_discount_amount",
        "tax_rate",
        "tax_amount",
        "total_amount",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        let (order, currency) = (&*self.order, self.order.currency);
        let amount = |minor: i64| Cell::Amount(minor.into(), currency);
        let customer = order.customer.as_ref();
        let mut cells = vec![
            order.number.map_or(Cell::Empty, Cell::Number),
            text(order.external_ref.as_deref()),
            order.placed_at.map_or(Cell::Empty, Cell::Time),
            Cell::Text(order.status.name().into()),
            Cell::Text(currency.to_string().into()),
            boolean(order.prices_include_tax),
            text(customer.and_then(|customer| customer.name.as_deref())),
            text(customer.and_then(|customer| customer.email.as_deref())),
        ];
        match self.part {
            Part::Item(line) => {
                let item = ItemView::from(&order.items[line]);
                cells.extend([
                    shown(&item.id),
                    text(Some(item.sku)),
                    text(Some(item.name)),
                    Cell::Number(item.quantity),
                    Cell::Number(item.returned_quantity),
                    amount(item.unit_amount),
                    amount(item.discount_amount),
                    amount(item.allocated_discount_amount),
                    shown_or_empty(item.tax_rate.as_ref()),
                    amount(item.tax_amount),
                    amount(item.total_amount),
                ]);
            }
            // A fee is sold once, at its amount.
            Part::Fee(line) => {
                let fee = FeeView::from(&order.fees[line]);
                cells.extend([
                    Cell::Empty,
                    Cell::Empty,
                    text(Some(fee.name)),
                    Cell::Number(1),
                    Cell::Number(0),
                    amount(fee.amount),
                    amount(0),
                    amount(0),
                    shown_or_empty(fee.tax_rate.as_ref()),
                    amount(fee.tax_amount),
                    amount(fee.total_amount),
                ]);
            }
        }
        cells
    }
}
