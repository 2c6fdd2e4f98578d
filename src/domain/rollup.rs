//! What an order or a transaction counts for in the figures, and when. A change counts as taking the old one out and
//! putting the new one in, so that no kind of change can be forgotten.

use super::{
    id::UserId,
    money::Currency,
    order::{Item, Order, OrderStatus},
    pricing::Line,
    time::Timestamp,
    transaction::{Kind, PaymentStatus, Transaction, TransactionStatus},
};

/// Sums over orders and transactions, in orders and in minor units. Amounts have 53 bits, and no number of them is too
/// many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Orders placed.
    pub orders_placed: i128,
    /// Orders cancelled after placing.
    pub orders_cancelled: i128,
    /// Present totals of the orders placed.
    pub booked: i128,
    /// Tax of the orders placed.
    pub tax: i128,
    /// Totals of the orders cancelled after placing.
    pub cancelled: i128,
    /// Succeeded payments.
    pub paid: i128,
    /// Succeeded refunds.
    pub refunded: i128,
}

impl Sums {
    /// Adds `other`, `times` of it: 1 to put in, −1 to take out.
    pub fn add(&mut self, other: &Self, times: i64) {
        let times = i128::from(times);
        self.orders_placed += other.orders_placed * times;
        self.orders_cancelled += other.orders_cancelled * times;
        self.booked += other.booked * times;
        self.tax += other.tax * times;
        self.cancelled += other.cancelled * times;
        self.paid += other.paid * times;
        self.refunded += other.refunded * times;
    }
}

/// What something counts for at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sale {
    /// When it counts.
    pub at: Timestamp,
    /// In which currency.
    pub currency: Currency,
    /// For whom, if for anybody.
    pub user_id: Option<UserId>,
    /// How much.
    pub sums: Sums,
}

/// An order by its present status, counted when it was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusEntry {
    /// When the order was placed.
    pub at: Timestamp,
    /// Its currency.
    pub currency: Currency,
    /// Its status.
    pub status: OrderStatus,
    /// Its payment status.
    pub payment_status: PaymentStatus,
    /// Its total.
    pub total: i64,
}

/// Sums over the lines of orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemSums {
    /// Pieces.
    pub quantity: i128,
    /// Orders that have such a line.
    pub orders: i128,
    /// Totals of the lines.
    pub total: i128,
}

/// What a line of an order counts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemSale {
    /// When the order was placed.
    pub at: Timestamp,
    /// What was sold.
    pub sku: String,
    /// In which currency.
    pub currency: Currency,
    /// How much.
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

/// What an order counts for; nothing before it is placed.
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

/// Whether the lines of an order count as sold: from when it is placed until it is cancelled.
pub fn sells(order: &Order) -> bool {
    order.placed_at.is_some() && order.status != OrderStatus::Cancelled
}

/// What the lines of an order count for. An order with two lines of one SKU counts once for it.
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

/// Where an order stands; nowhere before it is placed.
pub fn status_entry(order: &Order) -> Option<StatusEntry> {
    order.placed_at.map(|at| StatusEntry {
        at,
        currency: order.currency,
        status: order.status,
        payment_status: order.payment_status,
        total: order.totals.total,
    })
}

/// What a transaction of `user_id`'s order counts for; nothing before it has succeeded.
pub fn of_transaction(transaction: &Transaction, user_id: Option<UserId>) -> Option<Sale> {
    let sums = match transaction.kind {
        Kind::Payment => Sums { paid: transaction.amount.into(), ..Sums::default() },
        Kind::Refund => Sums { refunded: transaction.amount.into(), ..Sums::default() },
    };
    (transaction.status == TransactionStatus::Succeeded).then_some(Sale {
        at: transaction.occurred_at,
        currency: transaction.currency,
        user_id,
        sums,
    })
}
