//! What an order or a transaction adds to the rollups, and at which time. A change subtracts the old order and adds the
//! new one, so that no kind of change can be forgotten.
//!
//! What is undone counts against the day on which it is undone, so that no earlier day changes. A cancellation takes
//! back what the order comes to then: its total less its credits. If one of these credits is reversed later, the order
//! would come to more; this is cancelled on the day of the reversal.

#[cfg(test)]
mod tests;

use super::{
    id::UserId,
    money::{Currency, TaxRate, divide_rounded},
    order::{Item, Order, OrderStatus, OrderTax},
    time::Timestamp,
    transaction::{Kind, PaymentStatus, Transaction, TransactionStatus},
};

/// Sums over orders and transactions: numbers of orders, and amounts in minor units. An amount has 53 bits, so no
/// number of them overflows a sum.
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
    /// The credits of succeeded refunds.
    pub credited: i128,
    /// The tax in these credits.
    pub credited_tax: i128,
    /// The totals of the orders cancelled after they were placed, less their credits.
    pub cancelled: i128,
    /// The tax in these amounts.
    pub cancelled_tax: i128,
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
        self.credited += other.credited * sign;
        self.credited_tax += other.credited_tax * sign;
        self.cancelled += other.cancelled * sign;
        self.cancelled_tax += other.cancelled_tax * sign;
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

/// Sums by tax rate of the orders placed, less what was credited and cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaxSums {
    /// Amounts without tax.
    pub net: i128,
    /// Tax on them.
    pub tax: i128,
}

/// What an order or a transaction adds to the sums of one tax rate at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaxSale {
    /// When it counts, as in [`Sale`].
    pub at: Timestamp,
    /// The currency of the amounts.
    pub currency: Currency,
    /// `None` for items and fees without a rate.
    pub rate: Option<TaxRate>,
    /// What it adds.
    pub sums: TaxSums,
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

/// Sums over the lines of orders, without the goods that came back.
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
    let (total, tax) = (order.totals.total, order.totals.tax);
    let placed = order.placed_at.map(|at| {
        let sums = Sums { orders_placed: 1, booked: total.into(), tax: tax.into(), ..Sums::default() };
        sale(at, sums)
    });
    let cancelled = cancelled_at(order).map(|at| {
        let sums = Sums {
            orders_cancelled: 1,
            cancelled: (total - order.credited_amount).into(),
            cancelled_tax: (tax - order.credited_tax_amount).into(),
            ..Sums::default()
        };
        sale(at, sums)
    });
    placed.into_iter().chain(cancelled)
}

/// When the order was cancelled, if it had been placed.
fn cancelled_at(order: &Order) -> Option<Timestamp> {
    order.placed_at.and(order.cancelled_at)
}

/// What an order adds to the sums by tax rate. A draft adds nothing.
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

/// Whether the lines of an order count as sold: it was placed and is not cancelled.
pub fn sells(order: &Order) -> bool {
    order.placed_at.is_some() && order.status != OrderStatus::Cancelled
}

/// What the lines of an order add to the sums by SKU. Two lines with one SKU count as one order. A line of which all
/// goods came back adds nothing.
pub fn of_items(order: &Order) -> impl Iterator<Item = ItemSale> {
    let at = order.placed_at.filter(|_| sells(order));
    let sale = move |at, (i, item): (usize, &Item)| {
        let sku = &item.line.sku;
        let is_first = order.items[..i].iter().all(|earlier| earlier.line.sku != *sku || kept(earlier) == 0);
        let sums = ItemSums { quantity: kept(item).into(), orders: is_first.into(), total: kept_total(item) };
        ItemSale { at, sku: sku.clone(), currency: order.currency, sums }
    };
    let sold = move |at| order.items.iter().enumerate().filter(|(_, item)| kept(item) > 0).map(move |i| sale(at, i));
    at.into_iter().flat_map(sold)
}

/// The number of pieces of a line that did not come back.
fn kept(item: &Item) -> i64 {
    item.line.quantity - item.returns.quantity
}

/// The total of a line without the share of the goods that came back.
fn kept_total(item: &Item) -> i128 {
    let total = i128::from(item.totals.total_amount);
    match item.returns.quantity {
        0 => total,
        returned => total - divide_rounded(total * i128::from(returned), item.line.quantity.into()),
    }
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

/// What the sums of a transaction depend on besides the transaction: some of its order.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct OrderContext {
    pub user_id: Option<UserId>,
    pub cancelled_at: Option<Timestamp>,
}

impl From<&Order> for OrderContext {
    fn from(order: &Order) -> Self {
        Self { user_id: order.user_id, cancelled_at: order.cancelled_at }
    }
}

/// An instant at which a transaction counts.
struct Moment {
    at: Timestamp,
    /// 1 if its money and credit count then, −1 if they are taken back, 0 if neither.
    sign: i64,
    /// The same for its credit as a part of what the cancellation of its order took back.
    cancelled_sign: i64,
}

/// A succeeded transaction counts when the money moved. One that was reversed is taken back at the time of the
/// reversal.
///
/// A cancellation takes back the total less the present credits. A credit that was reversed is not among these. If it
/// was reversed after the cancellation, it was still among them then: it is taken off the time of the cancellation, and
/// is cancelled at the time of the reversal.
fn moments(transaction: &Transaction, cancelled_at: Option<Timestamp>) -> impl Iterator<Item = Moment> {
    let has_moved = matches!(transaction.status, TransactionStatus::Succeeded | TransactionStatus::Reversed);
    let moved = has_moved.then_some(Moment { at: transaction.occurred_at, sign: 1, cancelled_sign: 0 });
    let reversed_at = transaction.reversed_at;
    let cancelled_before = cancelled_at.filter(|cancelled| reversed_at.is_some_and(|reversed| reversed >= *cancelled));
    let cancelled_sign = cancelled_before.map_or(0, |_| 1);
    let reversed = reversed_at.map(|at| Moment { at, sign: -1, cancelled_sign });
    let taken_off = cancelled_before.map(|at| Moment { at, sign: 0, cancelled_sign: -1 });
    [moved, reversed, taken_off].into_iter().flatten()
}

/// What a transaction adds to the sums.
pub fn of_transaction(transaction: &Transaction, order: OrderContext) -> impl Iterator<Item = Sale> {
    let [amount, credit, credit_tax] =
        [transaction.amount, transaction.credit_amount(), transaction.credit_tax_amount()].map(i128::from);
    let (paid, refunded) = match transaction.kind {
        Kind::Payment => (amount, 0),
        Kind::Refund => (0, amount),
    };
    let sale = move |Moment { at, sign, cancelled_sign }| {
        let [sign, cancelled_sign] = [sign, cancelled_sign].map(i128::from);
        let sums = Sums {
            paid: paid * sign,
            refunded: refunded * sign,
            credited: credit * sign,
            credited_tax: credit_tax * sign,
            cancelled: credit * cancelled_sign,
            cancelled_tax: credit_tax * cancelled_sign,
            ..Sums::default()
        };
        Sale { at, currency: transaction.currency, user_id: order.user_id, sums }
    };
    moments(transaction, order.cancelled_at).map(sale).filter(|sale| sale.sums != Sums::default())
}

/// What the credit of a transaction adds to the sums by tax rate.
pub fn taxes_of_transaction(transaction: &Transaction, order: OrderContext) -> impl Iterator<Item = TaxSale> {
    moments(transaction, order.cancelled_at).flat_map(move |Moment { at, sign, cancelled_sign }| {
        // What is credited or cancelled is less for the tax office.
        let sign = -i128::from(sign + cancelled_sign);
        let credited = transaction.credit_taxes.iter().filter(move |_| sign != 0);
        credited.map(move |line| {
            let sums = TaxSums { net: sign * i128::from(line.net_amount), tax: sign * i128::from(line.tax_amount) };
            TaxSale { at, currency: transaction.currency, rate: line.rate, sums }
        })
    })
}
