//! The rules of prices, and their properties against independent computations.

use super::*;
use crate::error::FaultLocation;
use proptest::prelude::*;

/// How the prices of a cart are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prices {
    WithTax,
    WithoutTax,
}
use Prices::{WithTax, WithoutTax};

fn line(quantity: i64, unit_amount: i64, discount_amount: i64, tax: Tax) -> Line {
    Line { sku: "S".into(), name: "N".into(), quantity, unit_amount, discount_amount, tax }
}

fn fee(amount: i64, tax: Tax) -> Fee {
    Fee { name: "Shipping".into(), amount, tax }
}

fn rate(text: &str) -> Tax {
    Tax::Rate(TaxRate::parse(text).unwrap())
}

fn priced(prices: Prices, lines: &[Line], fees: &[Fee], order_discount: i64) -> Priced {
    price(&Cart { prices_include_tax: prices == WithTax, lines, fees, order_discount }).unwrap()
}

fn faults(prices: Prices, lines: &[Line], fees: &[Fee], order_discount: i64) -> Vec<Fault> {
    price(&Cart { prices_include_tax: prices == WithTax, lines, fees, order_discount }).unwrap_err()
}

fn tax_and_total(priced: &Priced) -> (i64, i64) {
    (priced.totals.tax, priced.totals.total)
}

#[test]
fn the_order_of_the_manual_comes_to_what_it_says() {
    let priced = priced(WithoutTax, &[line(2, 1250, 0, rate("8.875"))], &[], 0);
    assert_eq!(priced.lines, [LineTotals { allocated_discount_amount: 0, tax_amount: 222, total_amount: 2722 }]);
    assert_eq!(priced.totals, Totals { subtotal: 2500, discount: 0, fee: 0, tax: 222, total: 2722 });
    assert_eq!(priced.taxes, [TaxLine { rate: TaxRate::parse("8.875"), net_amount: 2500, tax_amount: 222 }]);
}

#[test]
fn prices_can_include_tax() {
    assert_eq!(tax_and_total(&priced(WithTax, &[line(3, 3490, 0, rate("20"))], &[], 0)), (1745, 10_470));
    assert_eq!(tax_and_total(&priced(WithTax, &[line(1, 1489, 0, rate("21"))], &[], 0)), (258, 1489));
}

#[test]
fn tax_is_on_what_is_left_after_the_order_discount() {
    assert_eq!(tax_and_total(&priced(WithoutTax, &[line(1, 10_000, 0, rate("25"))], &[], 3300)), (1675, 8375));
    assert_eq!(tax_and_total(&priced(WithoutTax, &[line(1, 99_500, 0, rate("6.25"))], &[], 9950)), (5597, 95_147));
}

#[test]
fn fees_are_taxed_and_not_discounted() {
    let priced = priced(WithoutTax, &[line(1, 1000, 0, rate("21"))], &[fee(500, rate("21.0"))], 1000);
    assert_eq!(priced.fees, [FeeTotals { tax_amount: 105, total_amount: 605 }]);
    assert_eq!(priced.totals, Totals { subtotal: 1000, discount: 1000, fee: 500, tax: 105, total: 605 });
    assert_eq!(priced.taxes, [TaxLine { rate: TaxRate::parse("21"), net_amount: 500, tax_amount: 105 }]);
}

#[test]
fn taxes_are_listed_by_rate_the_highest_first_and_no_rate_last() {
    let lines = [line(1, 100, 0, Tax::Amount(5)), line(1, 100, 0, rate("7")), line(1, 100, 0, rate("19.00"))];
    let fees = [fee(50, rate("19")), fee(0, rate("25")), fee(10, rate("0"))];
    let taxes = priced(WithoutTax, &lines, &fees, 0).taxes;
    let listed: Vec<_> = taxes.iter().map(|t| (t.rate.map(|r| r.to_string()), t.net_amount, t.tax_amount)).collect();
    let rate = |text: &str| Some(text.to_owned());
    assert_eq!(listed, [(rate("19"), 150, 29), (rate("7"), 100, 7), (rate("0"), 10, 0), (None, 100, 5)]);
}

#[test]
fn a_given_tax_stands_and_is_at_most_a_base_that_includes_it() {
    let lines = [line(1, 100, 0, Tax::Amount(100)), line(1, 100, 0, Tax::Amount(300))];
    assert_eq!(tax_and_total(&priced(WithoutTax, &lines, &[], 0)), (400, 600));
    let tax = |i| Field::Item(i, ItemField::TaxAmount);
    assert_eq!(faults(WithTax, &lines, &[], 0), [too_large(tax(1), Some(100))]);
    assert_eq!(
        faults(WithTax, &lines, &[fee(9, Tax::Amount(10))], 20),
        [(tax(0), 90), (tax(1), 90), (Field::Fee(0, FeeField::TaxAmount), 9)]
            .map(|(field, most)| too_large(field, Some(most)))
    );
}

#[test]
fn a_fee_whose_tax_is_computed_is_at_fault_by_its_amount() {
    let found = faults(WithoutTax, &[line(1, 1, 0, rate("19"))], &[fee(MAX_AMOUNT, rate("19"))], 0);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].at, FaultLocation::Field(Field::Fee(0, FeeField::Amount)));
}

#[test]
fn every_line_at_fault_is_named_with_the_most_that_is_right() {
    let lines = [line(1, 5, 6, Tax::Amount(0)), line(1, 5, 5, Tax::Amount(0)), line(2, 5, 11, Tax::Amount(0))];
    let fault = |i, most| too_large(Field::Item(i, ItemField::DiscountAmount), Some(most));
    assert_eq!(faults(WithoutTax, &lines, &[], 0), [fault(0, 5), fault(2, 10)]);
    let fault = too_large(Field::OrderDiscountAmount, Some(100));
    assert_eq!(faults(WithoutTax, &[line(1, 100, 0, rate("7"))], &[fee(50, rate("7"))], 101), [fault]);
}

#[test]
fn totals_beyond_exact_integers_are_refused() {
    let whole = MAX_AMOUNT / 1_000_000;
    assert!(priced(WithoutTax, &[line(1_000_000, whole, 0, Tax::Amount(0))], &[], 0).totals.total > 0);
    let unit = |i| Field::Item(i, ItemField::UnitAmount);
    for (lines, field) in [
        (vec![line(1_000_000, MAX_AMOUNT, 0, Tax::Amount(0))], unit(0)),
        (vec![line(1, 1, 0, rate("1")), line(1, MAX_AMOUNT, 0, rate("1"))], unit(1)),
        (vec![line(1, MAX_AMOUNT, 0, Tax::Amount(1))], Field::Item(0, ItemField::TaxAmount)),
        (vec![line(1, MAX_AMOUNT / 2 + 1, 0, Tax::Amount(0)); 2], Field::Items),
    ] {
        assert_eq!(faults(WithoutTax, &lines, &[], 0), [too_large(field, None)]);
    }
}

/// A fraction with a positive denominator; the computation that the tests hold the module against.
#[derive(Clone, Copy)]
struct Fraction(i128, i128);

impl Fraction {
    fn rounded(self) -> i128 {
        // Doubled and floored, so that it shares nothing with `divide_rounded`.
        (2 * self.0 + self.1).div_euclid(2 * self.1)
    }
}

fn cart() -> impl Strategy<Value = (Prices, Vec<Line>, Vec<Fee>, i64)> {
    let tax = prop_oneof![
        4 => prop_oneof![Just(0), Just(70_000), Just(190_000), Just(200_000), 0_i64..=1_000_000]
            .prop_map(|parts| Tax::Rate(TaxRate::from_parts(parts).unwrap())),
        1 => Just(Tax::Amount(0)),
    ];
    let lines = prop::collection::vec((1_i64..1000, 0_i64..100_000, 0_i64..=100, tax.clone()), 1..12);
    let fees = prop::collection::vec((0_i64..10_000, tax), 0..3);
    let prices = prop_oneof![Just(WithoutTax), Just(WithTax)];
    (prices, lines, fees, 0_i64..=100).prop_map(|(prices, lines, fees, percent)| {
        let lines: Vec<_> =
            lines.into_iter().map(|(q, unit, off, tax)| line(q, unit, q * unit * off / 100, tax)).collect();
        let fees = fees.into_iter().map(|(amount, tax)| fee(amount, tax)).collect();
        let most: i64 = lines.iter().map(|l| l.quantity * l.unit_amount - l.discount_amount).sum();
        (prices, lines, fees, most * percent / 100)
    })
}

proptest! {
    #[test]
    fn every_amount_is_what_fractions_come_to((prices, lines, fees, discount) in cart()) {
        let priced = priced(prices, &lines, &fees, discount);
        let weight = |l: &Line| i128::from(l.quantity * l.unit_amount - l.discount_amount);
        let whole: i128 = lines.iter().map(weight).sum();
        let mut allocated = 0;
        let mut sums = (0, 0);
        let mut by_rate: BTreeMap<Option<TaxRate>, (i128, i128)> = BTreeMap::new();
        let bases = lines.iter().zip(&priced.lines).map(|(l, t)| {
            let part = i128::from(t.allocated_discount_amount);
            allocated += part;
            // Off the exact share by less than a unit, and never more than the line.
            assert!((part * whole - i128::from(discount) * weight(l)).abs() < whole.max(1));
            (weight(l) - part, l.tax, t.tax_amount, t.total_amount)
        });
        let fees = fees.iter().zip(&priced.fees).map(|(f, t)| (i128::from(f.amount), f.tax, t.tax_amount, t.total_amount));
        for (base, tax, tax_amount, total_amount) in bases.chain(fees) {
            prop_assert!(base >= 0);
            let expected = match tax {
                Tax::Amount(tax) => tax.into(),
                Tax::Rate(r) if prices == WithTax => {
                    Fraction(base * i128::from(r.parts()), 1_000_000 + i128::from(r.parts())).rounded()
                }
                Tax::Rate(r) => Fraction(base * i128::from(r.parts()), 1_000_000).rounded(),
            };
            let net = if prices == WithTax { base - expected } else { base };
            prop_assert_eq!((i128::from(tax_amount), i128::from(total_amount)), (expected, net + expected));
            sums = (sums.0 + expected, sums.1 + net + expected);
            let entry = by_rate.entry(tax.rate()).or_default();
            *entry = (entry.0 + net, entry.1 + expected);
        }
        prop_assert_eq!(allocated, i128::from(discount));
        prop_assert_eq!((i128::from(priced.totals.tax), i128::from(priced.totals.total)), sums);
        let Totals { subtotal, discount, fee, tax, total } = priced.totals;
        let added = if prices == WithTax { 0 } else { tax };
        prop_assert_eq!(total, subtotal - discount + fee + added);
        let taxes: Vec<_> = priced.taxes.iter().map(|t| (t.rate, (t.net_amount.into(), t.tax_amount.into()))).collect();
        let expected: Vec<_> = by_rate.into_iter().rev().filter(|(_, sums)| *sums != (0, 0)).collect();
        prop_assert_eq!(taxes, expected);
    }
}
