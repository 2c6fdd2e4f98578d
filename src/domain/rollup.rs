//! What an order or a transaction counts for in the figures, and when. A change counts as taking the old one out and
//! putting the new one in, so that no kind of change can be forgotten.
//!
//! What happened on a day stays on that day. A cancellation takes back what the order still came to: its total less its
//! credits. If one of these credits is reversed later, the order comes to more, and that is cancelled on the day of the
//! reversal: the day of the cancellation keeps its amounts.

#[cfg(test)]
mod tests;

use super::{
    id::UserId,
    money::{Currency, TaxRate, divide_rounded},
    order::{Item, Order, OrderStatus, OrderTax},
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
    /// Tax in these totals.
    pub tax: i128,
    /// Credits of succeeded refunds.
    pub credited: i128,
    /// Tax in these credits.
    pub credited_tax: i128,
    /// What the orders cancelled after placing came to: their totals less their credits.
    pub cancelled: i128,
    /// Tax in that.
    pub cancelled_tax: i128,
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
        self.credited += other.credited * times;
        self.credited_tax += other.credited_tax * times;
        self.cancelled += other.cancelled * times;
        self.cancelled_tax += other.cancelled_tax * times;
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

/// Net amounts and taxes at one rate, less what was credited and cancelled of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaxSums {
    /// Amounts without tax.
    pub net: i128,
    /// Tax on them.
    pub tax: i128,
}

/// What something counts for at one instant and one tax rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaxSale {
    /// When it counts.
    pub at: Timestamp,
    /// In which currency.
    pub currency: Currency,
    /// At which rate; none for items and fees without a rate.
    pub rate: Option<TaxRate>,
    /// How much.
    pub sums: TaxSums,
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

/// Sums over the lines of orders, without the goods that came back.
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
    let (total, tax) = (order.totals.total, order.totals.tax);
    let placed = order.placed_at.map(|at| {
        let sums = Sums { orders_placed: 1, booked: total.into(), tax: tax.into(), ..Sums::default() };
        sale(at, sums)
    });
    let cancelled = cancelled_at(order).map(|at| {
        let (cancelled, cancelled_tax) = (total - order.credited_amount, tax - order.credited_tax_amount);
        let sums = Sums {
            orders_cancelled: 1,
            cancelled: cancelled.into(),
            cancelled_tax: cancelled_tax.into(),
            ..Sums::default()
        };
        sale(at, sums)
    });
    placed.into_iter().chain(cancelled)
}

/// When an order that had been placed was cancelled.
fn cancelled_at(order: &Order) -> Option<Timestamp> {
    order.placed_at.and(order.cancelled_at)
}

/// What an order counts for by tax rate; nothing before it is placed.
pub fn taxes_of_order(order: &Order) -> impl Iterator<Item = TaxSale> {
    let sale = |at, tax: &OrderTax, net: i64, amount: i64| {
        let sums = TaxSums { net: net.into(), tax: amount.into() };
        TaxSale { at, currency: order.currency, rate: tax.rate(), sums }
    };
    let placed = order.placed_at.into_iter().flat_map(move |at| {
        order.taxes.iter().map(move |tax| sale(at, tax, tax.whole.net_amount, tax.whole.tax_amount))
    });
    let cancelled = cancelled_at(order).into_iter().flat_map(move |at| {
        order.taxes.iter().map(move |tax| {
            let OrderTax { whole, credited, .. } = tax;
            sale(at, tax, credited.net_amount - whole.net_amount, credited.tax_amount - whole.tax_amount)
        })
    });
    placed.chain(cancelled)
}

/// Whether the lines of an order count as sold: from when it is placed until it is cancelled.
pub fn sells(order: &Order) -> bool {
    order.placed_at.is_some() && order.status != OrderStatus::Cancelled
}

/// What the lines of an order count for. Lines of which everything came back count for nothing, and an order with two
/// lines of one SKU counts once for it.
pub fn of_items(order: &Order) -> impl Iterator<Item = ItemSale> {
    let at = order.placed_at.filter(|_| sells(order));
    let sale = move |at, (i, item): (usize, &Item)| {
        let sku = &item.line.sku;
        let is_first = order.items[..i].iter().all(|earlier| earlier.line.sku != *sku || left(earlier) == 0);
        let sums = ItemSums { quantity: left(item).into(), orders: is_first.into(), total: total_left(item) };
        ItemSale { at, sku: sku.clone(), currency: order.currency, sums }
    };
    let sold = move |at| order.items.iter().enumerate().filter(|(_, item)| left(item) > 0).map(move |i| sale(at, i));
    at.into_iter().flat_map(sold)
}

/// Pieces of a line that did not come back.
fn left(item: &Item) -> i64 {
    item.line.quantity - item.returns.quantity
}

/// The total of a line without the share of the goods that came back.
fn total_left(item: &Item) -> i128 {
    let total = i128::from(item.totals.total_amount);
    match item.returns.quantity {
        0 => total,
        returned => total - divide_rounded(total * i128::from(returned), item.line.quantity.into()),
    }
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

/// What the figures of a transaction need to know of its order.
#[derive(Clone, Copy, Debug)]
pub struct OfOrder {
    /// Whose order it is, if anybody's.
    pub user_id: Option<UserId>,
    /// When the order was cancelled.
    pub cancelled_at: Option<Timestamp>,
}

impl From<&Order> for OfOrder {
    fn from(order: &Order) -> Self {
        Self { user_id: order.user_id, cancelled_at: order.cancelled_at }
    }
}

/// How often a transaction counts at one instant: 1 where it happened, −1 where it was taken back.
struct Moment {
    at: Timestamp,
    /// For its money and its credit.
    itself: i64,
    /// For what the cancellation of its order took back, where its credit belongs to that.
    cancelled: i64,
}

/// The instants at which a transaction counts; none before it has succeeded.
fn moments(transaction: &Transaction, cancelled_at: Option<Timestamp>) -> impl Iterator<Item = Moment> {
    let has_moved = matches!(transaction.status, TransactionStatus::Succeeded | TransactionStatus::Reversed);
    let booked = Moment { at: transaction.occurred_at, itself: 1, cancelled: 0 };
    // The present credits of the order, which its cancellation left out, no longer have a reversed one. So the day of an
    // earlier cancellation counts too much by it, which belongs to the day of the reversal.
    let reversed_at = transaction.reversed_at;
    let cancelled_before = cancelled_at.filter(|cancelled| reversed_at.is_some_and(|reversed| reversed >= *cancelled));
    let reversed = reversed_at.map(|at| Moment { at, itself: -1, cancelled: cancelled_before.is_some().into() });
    let moved_on = cancelled_before.map(|at| Moment { at, itself: 0, cancelled: -1 });
    [has_moved.then_some(booked), reversed, moved_on].into_iter().flatten()
}

/// What a transaction counts for; nothing before it has succeeded.
pub fn of_transaction(transaction: &Transaction, order: OfOrder) -> impl Iterator<Item = Sale> {
    let (credit, credit_tax) = (i128::from(transaction.credit_amount()), i128::from(transaction.credit_tax_amount()));
    let amount = i128::from(transaction.amount);
    let (paid, refunded) = match transaction.kind {
        Kind::Payment => (amount, 0),
        Kind::Refund => (0, amount),
    };
    let sale = move |Moment { at, itself, cancelled }| {
        let (itself, cancelled) = (i128::from(itself), i128::from(cancelled));
        let sums = Sums {
            paid: paid * itself,
            refunded: refunded * itself,
            credited: credit * itself,
            credited_tax: credit_tax * itself,
            cancelled: credit * cancelled,
            cancelled_tax: credit_tax * cancelled,
            ..Sums::default()
        };
        Sale { at, currency: transaction.currency, user_id: order.user_id, sums }
    };
    moments(transaction, order.cancelled_at).map(sale).filter(|sale| sale.sums != Sums::default())
}

/// What the credit of a transaction takes away by tax rate; nothing before it has succeeded.
pub fn taxes_of_transaction(transaction: &Transaction, order: OfOrder) -> impl Iterator<Item = TaxSale> {
    moments(transaction, order.cancelled_at).flat_map(move |Moment { at, itself, cancelled }| {
        let times = -i128::from(itself + cancelled);
        let credited = transaction.credit_taxes.iter().filter(move |_| times != 0);
        credited.map(move |line| {
            let sums = TaxSums { net: times * i128::from(line.net_amount), tax: times * i128::from(line.tax_amount) };
            TaxSale { at, currency: transaction.currency, rate: line.rate, sums }
        })
    })
}
