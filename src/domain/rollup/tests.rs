use super::*;
use crate::domain::{
    credit::{RefundRequest, Return},
    id::{Identifier, ItemId, OrderId, TransactionId},
    pricing::{Cart, Line, Tax, TaxLine, Totals, price},
    transaction::{Held, ReturnedItem},
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// An order and its transactions, to which something happens day by day.
#[derive(Clone)]
struct Books {
    order: Order,
    transactions: Vec<Transaction>,
}

/// Day `day` of the test.
fn at(day: i64) -> Timestamp {
    Timestamp::from_seconds(day * 86_400)
}

fn line(sku: &str, quantity: i64, unit_amount: i64, rate: &str) -> Line {
    let tax = Tax::Rate(TaxRate::parse(rate).unwrap());
    Line { sku: sku.to_owned(), name: sku.to_owned(), quantity, unit_amount, discount_amount: 0, tax }
}

impl Books {
    /// An order that is placed on day 1.
    fn placed(lines: &[Line]) -> Self {
        let priced = price(&Cart { prices_include_tax: false, lines, fees: &[], order_discount: 0 }).unwrap();
        let mut order = Order {
            seq: 1,
            id: OrderId::from_bytes([1; 16]),
            number: Some(1),
            status: OrderStatus::Draft,
            payment_status: PaymentStatus::Unpaid,
            currency: Currency::parse("EUR").unwrap(),
            user_id: None,
            external_ref: None,
            items: vec![],
            prices_include_tax: false,
            fees: vec![],
            taxes: vec![],
            order_discount_amount: 0,
            totals: Totals::default(),
            paid_amount: 0,
            refunded_amount: 0,
            credited_amount: 0,
            credited_tax_amount: 0,
            customer: None,
            note: None,
            metadata: BTreeMap::new(),
            version: 1,
            created_by: String::new(),
            created_at: at(1),
            updated_at: at(1),
            placed_at: None,
            confirmed_at: None,
            fulfilled_at: None,
            cancelled_at: None,
            cancel_reason: None,
            personal: None,
        };
        let item = |(i, line): (u8, &Line)| (ItemId::from_bytes([i; 16]), line.clone());
        order.set_price((0_u8..).zip(lines).map(item).collect(), vec![], &priced);
        order.enter(OrderStatus::Pending, at(1));
        Self { order, transactions: vec![] }
    }

    fn held(&self) -> Held {
        Held { paid: self.order.paid_amount, refunded: self.order.refunded_amount, pending_refunds: 0 }
    }

    fn book(&mut self, kind: Kind, amount: i64, day: i64) -> &mut Transaction {
        let transaction = Transaction {
            id: TransactionId::from_bytes([0; 16]),
            order_id: self.order.id,
            order_number: self.order.number,
            kind,
            status: TransactionStatus::Succeeded,
            amount,
            credit_taxes: vec![],
            items: vec![],
            currency: self.order.currency,
            provider: None,
            provider_ref: None,
            payment_id: None,
            reason: None,
            occurred_at: at(day),
            recorded_at: at(day),
            reversed_at: None,
            personal: None,
        };
        self.transactions.push(transaction);
        self.transactions.last_mut().unwrap()
    }

    /// Adds the last transaction to what the order shows.
    fn put_last(&mut self) {
        self.order.put_transaction(None, self.transactions.last().unwrap()).unwrap();
    }

    fn pay(&mut self, amount: i64, day: i64) {
        self.book(Kind::Payment, amount, day);
        self.put_last();
    }

    /// Refunds and credits by the rules, if there is anything to give back.
    fn refund(&mut self, request: &RefundRequest<'_>, day: i64) {
        let Ok(terms) = self.order.credits(self.held()).refund(request) else { return };
        if terms.amount > self.held().refundable() {
            return;
        }
        let item = |part: &crate::domain::credit::ReturnedGoods| ReturnedItem {
            item_id: self.order.items[part.line].id,
            quantity: part.quantity,
            credit_amount: part.credit_amount,
            credit_tax_amount: part.credit_tax_amount,
        };
        let items = terms.returns.iter().map(item).collect();
        let refund = self.book(Kind::Refund, terms.amount, day);
        (refund.credit_taxes, refund.items) = (terms.taxes, items);
        self.put_last();
    }

    fn returns(&mut self, line: usize, quantity: i64, day: i64) {
        self.refund(&RefundRequest { amount: None, credit_amount: None, returns: &[Return { line, quantity }] }, day);
    }

    fn reverse(&mut self, index: usize, day: i64) {
        let before = self.transactions[index].clone();
        if before.status == TransactionStatus::Succeeded {
            let after =
                Transaction { status: TransactionStatus::Reversed, reversed_at: Some(at(day)), ..before.clone() };
            self.order.put_transaction(Some(&before), &after).unwrap();
            self.transactions[index] = after;
        }
    }

    fn cancel(&mut self, day: i64) {
        if self.order.cancelled_at.is_none() {
            self.order.enter(OrderStatus::Cancelled, at(day));
        }
    }

    /// The sums of each day with any.
    fn days(&self) -> BTreeMap<i64, Sums> {
        let of_transactions =
            self.transactions.iter().flat_map(|one| of_transaction(one, OrderContext::from(&self.order)));
        let mut days: BTreeMap<i64, Sums> = BTreeMap::new();
        for sale in of_order(&self.order).chain(of_transactions) {
            days.entry(sale.at.seconds() / 86_400).or_default().add(&sale.sums, 1);
        }
        days.retain(|_, sums| *sums != Sums::default());
        days
    }

    /// The sums of each day and rate with any.
    fn taxes(&self) -> BTreeMap<(i64, Option<TaxRate>), TaxSums> {
        let order = OrderContext::from(&self.order);
        let of_transactions = self.transactions.iter().flat_map(|one| taxes_of_transaction(one, order));
        let mut taxes: BTreeMap<_, TaxSums> = BTreeMap::new();
        for sale in taxes_of_order(&self.order).chain(of_transactions) {
            let sums = taxes.entry((sale.at.seconds() / 86_400, sale.rate)).or_default();
            (sums.net, sums.tax) = (sums.net + sale.sums.net, sums.tax + sale.sums.tax);
        }
        taxes.retain(|_, sums| *sums != TaxSums::default());
        taxes
    }

    fn total(&self) -> Sums {
        let mut total = Sums::default();
        self.days().values().for_each(|sums| total.add(sums, 1));
        total
    }
}

fn net(sums: &Sums) -> i128 {
    sums.booked - sums.credited - sums.cancelled
}

fn net_tax(sums: &Sums) -> i128 {
    sums.tax - sums.credited_tax - sums.cancelled_tax
}

/// Quantity, orders and total by SKU.
fn sold(order: &Order) -> BTreeMap<String, [i128; 3]> {
    let mut sold: BTreeMap<String, [i128; 3]> = BTreeMap::new();
    for ItemSale { sku, sums: ItemSums { quantity, orders, total }, .. } in of_items(order) {
        let [a, b, c] = sold.remove(&sku).unwrap_or_default();
        sold.insert(sku, [a + quantity, b + orders, c + total]);
    }
    sold
}

#[test]
fn an_order_that_is_paid_cancelled_and_refunded_leaves_no_amount_and_no_tax() {
    let mut books = Books::placed(&[line("tea", 1, 10_000, "19")]);
    books.pay(11_900, 2);
    books.cancel(3);
    books.refund(&RefundRequest { amount: Some(11_900), credit_amount: None, returns: &[] }, 3);
    let days = books.days();
    assert_eq!((days[&1].booked, days[&1].tax), (11_900, 1900));
    assert_eq!((days[&3].cancelled, days[&3].cancelled_tax, days[&3].credited), (11_900, 1900, 0));
    let total = books.total();
    assert_eq!((net(&total), net_tax(&total), total.paid - total.refunded), (0, 0, 0));
    let taxes: Vec<_> = books.taxes().into_values().map(|sums| (sums.net, sums.tax)).collect();
    assert_eq!(taxes, [(10_000, 1900), (-10_000, -1900)]);
}

#[test]
fn goods_that_came_back_are_not_sold() {
    let mut books = Books::placed(&[line("bag", 3, 1000, "19"), line("bag", 1, 500, "19"), line("cup", 1, 10, "0")]);
    books.pay(4770, 1);
    assert_eq!(sold(&books.order), BTreeMap::from([("bag".into(), [4, 1, 4165]), ("cup".into(), [1, 1, 10])]));
    books.returns(0, 1, 2);
    books.returns(2, 1, 2);
    assert_eq!(sold(&books.order), BTreeMap::from([("bag".into(), [3, 1, 2975])]), "of cups nothing is left");
    books.returns(0, 2, 3);
    assert_eq!(sold(&books.order), BTreeMap::from([("bag".into(), [1, 1, 595])]), "the second line still counts");
    books.reverse(1, 4);
    assert_eq!(sold(&books.order)["bag"], [2, 1, 1785], "a reversed return is sold again");
    books.cancel(5);
    assert_eq!(sold(&books.order), BTreeMap::new());
}

#[test]
fn a_line_counts_by_its_cumulative_share() {
    let mut books = Books::placed(&[line("pen", 3, 33, "1")]);
    assert_eq!(books.order.totals.total, 100);
    books.pay(100, 1);
    let mut left = vec![];
    for _ in 0..2 {
        books.returns(0, 1, 2);
        left.push(sold(&books.order)["pen"]);
    }
    assert_eq!(left, [[2, 1, 67], [1, 1, 33]]);
}

#[test]
fn a_reversal_counts_on_its_own_day() {
    let mut books = Books::placed(&[line("tea", 2, 1000, "19")]);
    books.pay(2380, 2);
    books.returns(0, 1, 3);
    let (days, taxes) = (books.days(), books.taxes());
    books.reverse(1, 5);
    let mut after = books.days();
    let reversal = after.remove(&5).unwrap();
    assert_eq!((reversal.refunded, reversal.credited, reversal.credited_tax), (-1190, -1190, -190));
    assert_eq!((after, net(&books.total())), (days, 2380), "no earlier day changes");
    let mut after = books.taxes();
    assert_eq!(after.remove(&(5, TaxRate::parse("19"))), Some(TaxSums { net: 1000, tax: 190 }));
    assert_eq!(after, taxes);
    books.reverse(0, 6);
    assert_eq!(books.days()[&6], Sums { paid: -2380, ..Sums::default() });
}

#[test]
fn a_credit_that_is_reversed_after_the_cancellation_is_cancelled_on_the_day_of_the_reversal() {
    let mut books = Books::placed(&[line("tea", 2, 1000, "19")]);
    books.pay(2380, 2);
    books.returns(0, 1, 3);
    books.cancel(4);
    let (days, taxes) = (books.days(), books.taxes());
    assert_eq!((days[&4].cancelled, days[&4].cancelled_tax), (1190, 190));
    books.reverse(1, 5);
    let mut after = books.days();
    let expected = Sums {
        credited: -1190,
        credited_tax: -190,
        cancelled: 1190,
        cancelled_tax: 190,
        refunded: -1190,
        ..Sums::default()
    };
    assert_eq!(after.remove(&5), Some(expected));
    assert_eq!((after, books.taxes()), (days, taxes), "no earlier day changes, and the taxes of no day");
    assert_eq!((net(&books.total()), net_tax(&books.total())), (0, 0));
}

#[test]
fn a_credit_that_was_reversed_before_the_cancellation_is_part_of_it() {
    for reversed in [3, 4, 5] {
        let mut books = Books::placed(&[line("tea", 1, 1000, "19")]);
        books.pay(1190, 2);
        books.returns(0, 1, 2);
        // Whoever records a reversal can also date it after the cancellation that follows.
        books.reverse(1, reversed);
        books.cancel(4);
        assert_eq!((net(&books.total()), net_tax(&books.total())), (0, 0));
        let cancelled = if reversed < 4 { [(4, 1190)] } else { [(reversed, 1190)] };
        let days = books.days().into_iter().map(|(day, sums)| (day, sums.cancelled));
        assert_eq!(days.filter(|(_, cancelled)| *cancelled != 0).collect::<Vec<_>>(), cancelled);
    }
}

#[test]
fn what_has_not_succeeded_counts_for_nothing() {
    let mut books = Books::placed(&[line("tea", 1, 1000, "19")]);
    let before = (books.days(), books.taxes());
    for status in [TransactionStatus::Pending, TransactionStatus::Failed, TransactionStatus::Voided] {
        let refund = books.book(Kind::Refund, 119, 2);
        refund.status = status;
        refund.credit_taxes = vec![TaxLine { rate: TaxRate::parse("19"), net_amount: 100, tax_amount: 19 }];
        assert_eq!((books.days(), books.taxes()), before, "{status:?}");
    }
}

proptest! {
    /// Whatever happens, the days before stay as they were, and all days together come to what the order shows.
    #[test]
    fn figures_add_up_to_the_order_and_no_earlier_day_changes(
        lines in prop::collection::vec((0_usize..2, 1_i64..5, 0_i64..3000, 0_usize..3), 1..4),
        steps in prop::collection::vec((0_u8..8, 0_usize..6, 1_i64..4000), 1..16),
    ) {
        let rates = ["19", "7", "0"];
        let lines: Vec<_> = lines.iter().map(|(sku, quantity, unit, rate)| {
            line(["tea", "cup"][*sku], *quantity, *unit, rates[*rate])
        }).collect();
        let mut books = Books::placed(&lines);
        for (day, (what, index, amount)) in (2..).zip(steps) {
            let before = (books.days(), books.taxes());
            match what {
                0 | 1 => books.pay(amount, day),
                2 => books.refund(&RefundRequest { amount: Some(amount), credit_amount: None, returns: &[] }, day),
                3 => books.refund(&RefundRequest { amount: Some(0), credit_amount: Some(amount), returns: &[] }, day),
                4 | 5 => books.returns(index % books.order.items.len(), 1 + amount % 3, day),
                6 if index < books.transactions.len() => books.reverse(index, day),
                7 if index == 0 => books.cancel(day),
                _ => {}
            }
            let mut after = (books.days(), books.taxes());
            after.0.remove(&day);
            after.1.retain(|(of, _), _| *of != day);
            prop_assert_eq!(after, before);
            let (total, order) = (books.total(), &books.order);
            let is_cancelled = order.cancelled_at.is_some();
            let left = |amount: i64, credited: i64| i128::from(if is_cancelled { 0 } else { amount - credited });
            prop_assert_eq!(net(&total), left(order.totals.total, order.credited_amount));
            prop_assert_eq!(net_tax(&total), left(order.totals.tax, order.credited_tax_amount));
            prop_assert_eq!(total.paid, order.paid_amount.into());
            prop_assert_eq!(total.refunded, order.refunded_amount.into());
            let by_day = books.days();
            let mut taxes: BTreeMap<i64, i128> = BTreeMap::new();
            for ((day, _), sums) in books.taxes() {
                *taxes.entry(day).or_default() += sums.tax;
            }
            for day in by_day.keys().chain(taxes.keys()) {
                let of_day = by_day.get(day).map_or(0, net_tax);
                prop_assert_eq!(taxes.get(day).copied().unwrap_or(0), of_day, "net tax of day {}", day);
            }
            let quantity: i128 = sold(order).values().map(|sums| sums[0]).sum();
            let ordered: i64 = order.items.iter().map(|item| item.line.quantity - item.returns.quantity).sum();
            prop_assert_eq!(quantity, if is_cancelled { 0 } else { ordered.into() });
        }
    }
}
