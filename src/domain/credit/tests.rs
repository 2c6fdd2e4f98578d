//! The rules of credits, and their properties against independent computations.

use super::*;
use crate::domain::money::TaxRate;
use proptest::prelude::*;

fn tax(rate: &str, net_amount: i64, tax_amount: i64) -> TaxLine {
    TaxLine { rate: TaxRate::parse(rate), net_amount, tax_amount }
}

fn line(rate: usize, quantity: i64, total_amount: i64, tax_amount: i64) -> CreditLine {
    CreditLine {
        rate: Some(rate),
        quantity,
        total_amount,
        tax_amount,
        returned_quantity: 0,
        credited_amount: 0,
        credited_tax_amount: 0,
    }
}

fn order(lines: Vec<CreditLine>, left: Vec<TaxLine>) -> Credits {
    let refundable = left.iter().map(TaxLine::total).sum();
    Credits { lines, left, overpaid: 0, refundable, is_cancelled: false }
}

fn amount(amount: i64) -> RefundRequest<'static> {
    RefundRequest { amount: Some(amount), credit_amount: None, returns: &[] }
}

fn goods(returns: &[Return]) -> RefundRequest<'_> {
    RefundRequest { amount: None, credit_amount: None, returns }
}

impl Credits {
    /// The order after a refund.
    fn after(&self, terms: &RefundTerms) -> Self {
        let mut next = self.clone();
        next.refundable -= terms.amount;
        for credited in &terms.taxes {
            let left = next.left.iter_mut().find(|left| left.rate == credited.rate).unwrap();
            left.net_amount -= credited.net_amount;
            left.tax_amount -= credited.tax_amount;
            assert!(left.net_amount >= 0 && left.tax_amount >= 0, "{credited:?} leaves {left:?}");
        }
        for part in &terms.returns {
            let line = &mut next.lines[part.line];
            line.returned_quantity += part.quantity;
            line.credited_amount += part.credit_amount;
            line.credited_tax_amount += part.credit_tax_amount;
        }
        next
    }
}

#[test]
fn one_of_three_bags_is_a_third_and_the_last_takes_what_is_left() {
    let mut order = order(vec![line(0, 3, 1000, 160)], vec![tax("19", 840, 160)]);
    let mut credited = vec![];
    for _ in 0..3 {
        let terms = order.refund(&goods(&[Return { line: 0, quantity: 1 }])).unwrap();
        assert_eq!(terms.amount, terms.credit_amount());
        credited.push((terms.credit_amount(), terms.credit_tax_amount()));
        order = order.after(&terms);
    }
    assert_eq!(credited, [(333, 53), (334, 54), (333, 53)]);
    assert_eq!(order.total_left(), 0);
    let fault = CreditFault::ReturnExceedsQuantity { index: 0, most: 0 };
    assert_eq!(order.refund(&goods(&[Return { line: 0, quantity: 1 }])), Err(vec![fault]));
}

#[test]
fn a_part_never_has_more_tax_than_it_is_credited() {
    let mut order = order(vec![line(0, 11, 5, 4)], vec![tax("19", 1, 4)]);
    for _ in 0..11 {
        match order.refund(&goods(&[Return { line: 0, quantity: 1 }])) {
            Ok(terms) => order = order.after(&terms),
            Err(_) => order.lines[0].returned_quantity += 1,
        }
        assert!(order.lines[0].credited_tax_amount <= order.lines[0].credited_amount);
    }
    assert_eq!((order.lines[0].credited_amount, order.lines[0].credited_tax_amount), (5, 4));
}

#[test]
fn an_amount_is_credited_less_what_was_overpaid() {
    let order =
        Credits { overpaid: 300, refundable: 1300, ..order(vec![line(0, 1, 1000, 0)], vec![tax("0", 1000, 0)]) };
    let credit = |amount_| order.refund(&amount(amount_)).unwrap().credit_amount();
    assert_eq!((credit(200), credit(300), credit(301), credit(1300)), (0, 0, 1, 1000));
}

#[test]
fn a_credit_of_no_goods_is_shared_among_the_rates() {
    let order = order(vec![line(0, 1, 119, 19), line(1, 1, 107, 7)], vec![tax("19", 100, 19), tax("7", 100, 7)]);
    let terms = order.refund(&amount(113)).unwrap();
    assert_eq!(terms.taxes, [tax("19", 50, 10), tax("7", 50, 3)]);
    assert_eq!(order.after(&terms).refund(&amount(113)).unwrap().taxes, [tax("19", 50, 9), tax("7", 50, 4)]);
}

#[test]
fn a_stated_credit_stands_and_goods_come_back_all_the_same() {
    let order = order(vec![line(0, 2, 200, 0)], vec![tax("0", 200, 0)]);
    let returns = [Return { line: 0, quantity: 1 }];
    let stated = |credit, returns| RefundRequest { amount: Some(50), credit_amount: Some(credit), returns };
    let terms = order.refund(&stated(80, &returns)).unwrap();
    let uncredited = ReturnedGoods { line: 0, quantity: 1, credit_amount: 0, credit_tax_amount: 0 };
    assert_eq!((terms.amount, terms.credit_amount(), &terms.returns[..]), (50, 80, &[uncredited][..]));
    assert_eq!(order.refund(&stated(100, &returns)).unwrap().returns[0].credit_amount, 100);
    assert_eq!(order.refund(&stated(0, &[])).unwrap().credit_amount(), 0, "a chargeback");
    let fault = CreditFault::CreditExceedsTotal { most: 200 };
    assert_eq!(order.refund(&stated(201, &[])), Err(vec![fault]));
}

#[test]
fn money_without_an_amount_is_the_credit_as_far_as_it_is_there() {
    let order = Credits { refundable: 30, ..order(vec![line(0, 1, 100, 0)], vec![tax("0", 100, 0)]) };
    let terms = order.refund(&goods(&[Return { line: 0, quantity: 1 }])).unwrap();
    assert_eq!((terms.amount, terms.credit_amount()), (30, 100));
    assert_eq!(order.refund(&goods(&[])), Err(vec![CreditFault::AmountRequired]));
    let nothing = RefundRequest { amount: Some(0), credit_amount: Some(0), returns: &[] };
    assert_eq!(order.refund(&nothing), Err(vec![CreditFault::NothingGoesBack]));
    let gift = Credits { refundable: 30, ..self::order(vec![CreditLine { rate: None, ..line(0, 1, 0, 0) }], vec![]) };
    let terms = gift.refund(&goods(&[Return { line: 0, quantity: 1 }])).unwrap();
    assert_eq!((terms.amount, terms.credit_amount(), terms.returns[0].quantity), (0, 0, 1));
}

#[test]
fn a_line_that_is_named_twice_counts_twice() {
    let order = order(vec![line(0, 3, 300, 0)], vec![tax("0", 300, 0)]);
    let twice = |a, b| [a, b].map(|quantity| Return { line: 0, quantity });
    assert_eq!(order.refund(&goods(&twice(1, 2))).unwrap().credit_amount(), 300);
    let fault = CreditFault::ReturnExceedsQuantity { index: 1, most: 1 };
    assert_eq!(order.refund(&goods(&twice(2, 2))), Err(vec![fault]));
}

#[test]
fn a_cancelled_order_credits_nothing() {
    let order = Credits { is_cancelled: true, ..order(vec![line(0, 1, 100, 0)], vec![tax("0", 100, 0)]) };
    assert_eq!(order.refund(&amount(100)).unwrap().credit_amount(), 0);
    let fault = Err(vec![CreditFault::CreditExceedsTotal { most: 0 }]);
    assert_eq!(order.refund(&goods(&[Return { line: 0, quantity: 1 }])), fault);
    assert_eq!(order.refund(&RefundRequest { credit_amount: Some(1), ..amount(100) }), fault);
}

fn orders() -> impl Strategy<Value = Credits> {
    prop::collection::vec((0_usize..3, 1_i64..6, 0_i64..5000, 0_i64..=50), 1..6).prop_map(|lines| {
        let mut left = vec![tax("19", 0, 0), tax("7", 0, 0), TaxLine { rate: None, net_amount: 40, tax_amount: 3 }];
        let lines = lines.into_iter().map(|(rate, quantity, net, percent)| {
            let tax = net * percent / 100;
            left[rate].net_amount += net;
            left[rate].tax_amount += tax;
            line(rate, quantity, net + tax, tax)
        });
        let lines = lines.collect();
        order(lines, left)
    })
}

proptest! {
    #[test]
    fn whatever_is_refunded_nothing_is_credited_twice_and_the_last_takes_all(
        mut order in orders(),
        steps in prop::collection::vec((0_usize..6, 1_i64..4, 0_i64..3000, any::<bool>()), 0..12),
    ) {
        let whole = order.total_left();
        let mut credited = 0;
        for (line, quantity, credit, of_goods) in steps {
            let returns = [Return { line: line % order.lines.len(), quantity }];
            let request = if of_goods { goods(&returns) } else { amount(credit.min(order.refundable)) };
            if let Ok(terms) = order.refund(&request) {
                credited += terms.credit_amount();
                order = order.after(&terms);
                prop_assert_eq!(order.total_left(), whole - credited);
            }
        }
        let rest = order.total_left();
        if rest > 0 {
            let terms = order.refund(&RefundRequest { amount: Some(0), credit_amount: Some(rest), returns: &[] }).unwrap();
            let order = order.after(&terms);
            prop_assert!(order.left.iter().all(|left| (left.net_amount, left.tax_amount) == (0, 0)));
        }
    }

    #[test]
    fn goods_that_come_back_in_parts_are_credited_as_the_line(
        quantity in 1_i64..20, total in 0_i64..10_000, share in 0_i64..=100, parts in prop::collection::vec(1_i64..5, 1..20),
    ) {
        let line_tax = total * share / 100;
        let mut order = order(vec![line(0, quantity, total, line_tax)], vec![tax("19", total - line_tax, line_tax)]);
        for part in parts.into_iter().chain([1; 20]) {
            let left = quantity - order.lines[0].returned_quantity;
            let returns = [Return { line: 0, quantity: part.min(left) }];
            if left > 0 {
                // Where a part rounds to nothing, the credit follows with the next one.
                order = order.after(&order.refund(&goods(&returns)).unwrap());
                let exact = i128::from(total) * i128::from(order.lines[0].returned_quantity);
                let off = exact - i128::from(order.lines[0].credited_amount) * i128::from(quantity);
                prop_assert!(off.abs() * 2 <= i128::from(quantity), "within half a unit at every step");
            }
        }
        prop_assert_eq!((order.lines[0].credited_amount, order.lines[0].credited_tax_amount), (total, line_tax));
    }
}
