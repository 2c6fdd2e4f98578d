//! What an order or a transaction adds to the rollups, and at which time. A change subtracts the old order and adds the new
//! one, so that no kind of change can be forgotten.

use super::{
    id::UserId,
    money::Currency,
    order::{Item, Order, OrderStatus},
    pricing::Line,
    time::Timestamp,
    transaction::{Kind, PaymentStatus, Transaction, TransactionStatus},
};

/// Sums over orders and transactions: numbers of orders, and amounts in minor units. An amount has 53 bits, so no number of
/// them overflows a sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// The number of orders placed.
    pub orders_placed: i128,
    /// The number of orders cancelled after they were placed.
    pub orders_cancelled: i128,
    /// The present totals of the orders placed.
    pub booked: i128,
    /// The present tax of the orders placed.
    pub tax: i128,
    /// The totals of the orders cancelled after they were placed.
    pub cancelled: i128,
    /// Succeeded payments.
    pub paid: i128,
    /// Succeeded refunds.
    pub refunded: i128,
}

impl Sums {
    /// Adds `other` if `sign` is 1, subtracts it if `sign` is −1.
    pub fn add(&mut self, other: &Self, sign: i64) {
        let sign = i128::from(sign);
        self.orders_placed += other.orders_placed * sign;
        self.orders_cancelled += other.orders_cancelled * sign;
        self.booked += other.booked * sign;
        self.tax += other.tax * sign;
        self.cancelled += other.cancelled * sign;
        self.paid += other.paid * sign;
        self.refunded += other.refunded * sign;
    }
}

/// What an order or a transaction adds to the sums at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sale {
    /// When it counts: when the order was placed or cancelled, or the money moved.
    pub at: Timestamp,
    /// The currency of the amounts.
    pub currency: Currency,
    /// The owner of the order.
    pub user_id: Option<UserId>,
    /// What it adds.
    pub sums: Sums,
}

/// An order in the counts by status. It counts at the time at which it was placed, with its present status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct StatusEntry {
    pub at: Timestamp,
    pub currency: Currency,
    pub status: OrderStatus,
    pub payment_status: PaymentStatus,
    pub total: i64,
}

/// Sums over the lines of orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemSums {
    /// The number of pieces.
    pub quantity: i128,
    /// The number of orders that have such a line.
    pub orders: i128,
    /// The totals of the lines.
    pub total: i128,
}

/// What a line of an order adds to the sums of its SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemSale {
    /// When the order was placed.
    pub at: Timestamp,
    /// The SKU of the line.
    pub sku: String,
    /// The currency of the total.
    pub currency: Currency,
    /// What it adds.
    pub sums: ItemSums,
}

/// The rank of a dimension in a report. Ranks are sorted by value; the other fields decide between equal values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The value that the report sorts by, smallest first.
    pub value: i128,
    /// The number of the user or SKU in the database.
    pub dimension: i64,
    /// The currency of the value.
    pub currency: Currency,
}

/// What an order adds to the sums. A draft adds nothing.
pub fn of_order(order: &Order) -> impl Iterator<Item = Sale> {
    let sale = |at, sums| Sale { at, currency: order.currency, user_id: order.user_id, sums };
    let placed = order.placed_at.map(|at| {
        sale(
            at,
            Sums {
                orders_placed: 1,
                booked: order.totals.total.into(),
                tax: order.totals.tax.into(),
                ..Sums::default()
            },
        )
    });
    let cancelled = order
        .placed_at
        .and(order.cancelled_at)
        .map(|at| sale(at, Sums { orders_cancelled: 1, cancelled: order.totals.total.into(), ..Sums::default() }));
    placed.into_iter().chain(cancelled)
}

/// Whether the lines of an order count as sold: it was placed and is not cancelled.
pub fn sells(order: &Order) -> bool {
    order.placed_at.is_some() && order.status != OrderStatus::Cancelled
}

/// What the lines of an order add to the sums by SKU. Two lines with one SKU count as one order.
pub fn of_items(order: &Order) -> impl Iterator<Item = ItemSale> {
    let at = order.placed_at.filter(|_| sells(order));
    let sale = move |at, (i, item): (usize, &Item)| {
        let Line { sku, quantity, .. } = &item.line;
        let first = order.items[..i].iter().all(|earlier| earlier.line.sku != *sku);
        let sums =
            ItemSums { quantity: (*quantity).into(), orders: first.into(), total: item.totals.total_amount.into() };
        ItemSale { at, sku: sku.clone(), currency: order.currency, sums }
    };
    at.into_iter().flat_map(move |at| order.items.iter().enumerate().map(move |line| sale(at, line)))
}

/// The entry of an order in the counts by status. A draft has none.
pub fn status_entry(order: &Order) -> Option<StatusEntry> {
    order.placed_at.map(|at| StatusEntry {
        at,
        currency: order.currency,
        status: order.status,
        payment_status: order.payment_status,
        total: order.totals.total,
    })
}

/// What a transaction of an order of `user_id` counts for: a succeeded one when the money moved; one that was reversed is
/// taken away again at the time of the reversal, so that no earlier day changes.
pub fn of_transaction(transaction: &Transaction, user_id: Option<UserId>) -> impl Iterator<Item = Sale> {
    let counts = matches!(transaction.status, TransactionStatus::Succeeded | TransactionStatus::Reversed);
    let sale = move |at, amount: i64| {
        let sums = match transaction.kind {
            Kind::Payment => Sums { paid: amount.into(), ..Sums::default() },
            Kind::Refund => Sums { refunded: amount.into(), ..Sums::default() },
        };
        Sale { at, currency: transaction.currency, user_id, sums }
    };
    let done = counts.then(|| sale(transaction.occurred_at, transaction.amount));
    let undone = transaction.reversed_at.map(|at| sale(at, -transaction.amount));
    done.into_iter().chain(undone)
}
