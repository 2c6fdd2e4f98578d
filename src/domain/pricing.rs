//! Prices: every total of an order is computed here, in exact integers, from its lines, fees and discounts. It does not
//! know what was paid or given back.

use super::money::{MAX_AMOUNT, TaxRate, allocate, amount};
use crate::error::{Fault, FeeField, Field, ItemField};
use std::collections::BTreeMap;

/// How a line or fee is taxed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tax {
    /// By a rate, rounded for each line or fee.
    Rate(TaxRate),
    /// By an amount in minor units that the caller computed; 0 where there is no tax.
    Amount(i64),
}

impl Tax {
    /// The rate under which it is listed in `taxes`.
    pub fn rate(self) -> Option<TaxRate> {
        match self {
            Self::Rate(rate) => Some(rate),
            Self::Amount(_) => None,
        }
    }
}

/// A line of an order as the caller asks for it. Amounts are minor units, ≥ 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Stock-keeping unit.
    pub sku: String,
    /// What the customer sees.
    pub name: String,
    /// At least 1.
    pub quantity: i64,
    /// Price of one.
    pub unit_amount: i64,
    /// Discount on the line.
    pub discount_amount: i64,
    /// How the line is taxed.
    pub tax: Tax,
}

/// A charge beside the lines, such as shipping. Order discounts do not apply to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fee {
    /// What the customer sees.
    pub name: String,
    /// Minor units, ≥ 0.
    pub amount: i64,
    /// How the fee is taxed.
    pub tax: Tax,
}

/// Computed amounts of a line, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTotals {
    /// The line's share of the order's discount.
    pub allocated_discount_amount: i64,
    /// Tax of the line.
    pub tax_amount: i64,
    /// Net amount and tax.
    pub total_amount: i64,
}

/// Computed amounts of a fee, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeTotals {
    /// Tax of the fee.
    pub tax_amount: i64,
    /// Net amount and tax.
    pub total_amount: i64,
}

/// Net amount and tax at one rate, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaxLine {
    /// `None` for lines and fees without a rate.
    pub rate: Option<TaxRate>,
    /// Amount without tax.
    pub net_amount: i64,
    /// Tax on it.
    pub tax_amount: i64,
}

impl TaxLine {
    /// Net amount and tax.
    pub fn total(&self) -> i64 {
        self.net_amount + self.tax_amount
    }
}

/// Sums over an order, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Σ quantity × unit.
    pub subtotal: i64,
    /// Σ line discounts + order discount.
    pub discount: i64,
    /// Σ fee amounts.
    pub fee: i64,
    /// Σ tax of lines and fees.
    pub tax: i64,
    /// Σ totals of lines and fees.
    pub total: i64,
}

/// What the caller asks to be priced.
#[derive(Clone, Copy, Debug)]
pub struct Cart<'c> {
    /// Whether unit amounts and fees include tax.
    pub prices_include_tax: bool,
    /// At least one.
    pub lines: &'c [Line],
    /// Charges beside the lines.
    pub fees: &'c [Fee],
    /// Discount on the order, minor units.
    pub order_discount: i64,
}

/// Every computed amount of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// One for each line.
    pub lines: Vec<LineTotals>,
    /// One for each fee.
    pub fees: Vec<FeeTotals>,
    /// By rate: the highest first, `None` last, without those whose net and tax are 0.
    pub taxes: Vec<TaxLine>,
    /// Sums over the order.
    pub totals: Totals,
}

/// Prices a cart in four steps: the order discount is allocated to the lines, each line and fee gets its tax, and all are
/// summed up. Answers with every fault if there is no price.
pub fn price(cart: &Cart<'_>) -> Result<Priced, Vec<Fault>> {
    let weights = discounted(cart.lines)?;
    let most = weights.iter().map(|weight| i128::from(*weight)).sum::<i128>();
    if i128::from(cart.order_discount) > most {
        return Err(vec![too_large(Field::OrderDiscountAmount, amount(most))]);
    }
    let allocated = allocate(cart.order_discount, &weights);
    let bases = weights.iter().zip(&allocated).map(|(weight, allocated)| weight - allocated);

    let split = if cart.prices_include_tax { take_tax_out } else { add_tax };
    let mut faults = vec![];
    let mut taxes = BTreeMap::new();
    let mut taxed = |base, tax, field| match split(base, tax) {
        Ok(parts) => {
            let (net, sum): &mut (i128, i128) = taxes.entry(tax.rate()).or_default();
            *net += i128::from(parts.net);
            *sum += i128::from(parts.tax);
            parts
        }
        Err(most) => {
            faults.push(too_large(field, most));
            Parts::default()
        }
    };
    let mut lines = Vec::with_capacity(cart.lines.len());
    for (i, (line, base)) in cart.lines.iter().zip(bases).enumerate() {
        let field = if line.tax.rate().is_some() { ItemField::UnitAmount } else { ItemField::TaxAmount };
        let parts = taxed(base, line.tax, Field::Item(i, field));
        lines.push(LineTotals {
            allocated_discount_amount: allocated[i],
            tax_amount: parts.tax,
            total_amount: parts.net + parts.tax,
        });
    }
    let mut fees = Vec::with_capacity(cart.fees.len());
    for (i, fee) in cart.fees.iter().enumerate() {
        let parts = taxed(fee.amount, fee.tax, Field::Fee(i, FeeField::TaxAmount));
        fees.push(FeeTotals { tax_amount: parts.tax, total_amount: parts.net + parts.tax });
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let totals = totals(cart, &lines, &fees).ok_or_else(|| vec![too_large(Field::Items, None)])?;
    // They are parts of the total, which is within bounds.
    let narrowed = |value: i128| i64::try_from(value).expect("a part of the total");
    let taxes = taxes.into_iter().rev().filter(|(_, sums)| *sums != (0, 0));
    let taxes = taxes.map(|(rate, (net, tax))| TaxLine { rate, net_amount: narrowed(net), tax_amount: narrowed(tax) });
    Ok(Priced { lines, fees, taxes: taxes.collect(), totals })
}

/// Quantity × unit − discount of each line, or every line that has none.
fn discounted(lines: &[Line]) -> Result<Vec<i64>, Vec<Fault>> {
    let (mut amounts, mut faults) = (Vec::with_capacity(lines.len()), vec![]);
    for (i, line) in lines.iter().enumerate() {
        let fault = |field, most| too_large(Field::Item(i, field), most);
        match amount(i128::from(line.quantity) * i128::from(line.unit_amount)) {
            None => faults.push(fault(ItemField::UnitAmount, None)),
            Some(gross) if line.discount_amount > gross => faults.push(fault(ItemField::DiscountAmount, Some(gross))),
            Some(gross) => amounts.push(gross - line.discount_amount),
        }
    }
    if faults.is_empty() { Ok(amounts) } else { Err(faults) }
}

/// The fault of a field that may be `most` at most. `None`: a total leaves the range of exact integers.
fn too_large(field: Field, most: Option<i64>) -> Fault {
    let detail = match most {
        Some(most) => format!("must be at most {most}"),
        None => format!("the totals must be at most {MAX_AMOUNT}"),
    };
    Fault::new(field, "too_large", detail)
}

#[derive(Default)]
struct Parts {
    net: i64,
    tax: i64,
}

/// Net amount and tax of a base without tax, or the most that a given tax may be.
fn add_tax(base: i64, tax: Tax) -> Result<Parts, Option<i64>> {
    let tax = match tax {
        Tax::Rate(rate) => rate.on(base),
        Tax::Amount(tax) => tax,
    };
    amount(i128::from(base) + i128::from(tax)).ok_or(None)?;
    Ok(Parts { net: base, tax })
}

/// Net amount and tax of a base that includes tax, or the most that a given tax may be.
fn take_tax_out(base: i64, tax: Tax) -> Result<Parts, Option<i64>> {
    match tax {
        Tax::Rate(rate) => Ok(rate.included_in(base)),
        Tax::Amount(tax) if tax > base => Err(Some(base)),
        Tax::Amount(tax) => Ok(tax),
    }
    .map(|tax| Parts { net: base - tax, tax })
}

/// The order's sums; none if one leaves the range of exact integers.
fn totals(cart: &Cart<'_>, lines: &[LineTotals], fees: &[FeeTotals]) -> Option<Totals> {
    let sum = |amounts: &mut dyn Iterator<Item = i64>| amount(amounts.map(i128::from).sum());
    Some(Totals {
        // Each line is within bounds by itself.
        subtotal: sum(&mut cart.lines.iter().map(|line| line.quantity * line.unit_amount))?,
        discount: sum(&mut cart.lines.iter().map(|line| line.discount_amount).chain([cart.order_discount]))?,
        fee: sum(&mut cart.fees.iter().map(|fee| fee.amount))?,
        tax: sum(&mut lines.iter().map(|line| line.tax_amount).chain(fees.iter().map(|fee| fee.tax_amount)))?,
        total: sum(&mut lines.iter().map(|line| line.total_amount).chain(fees.iter().map(|fee| fee.total_amount)))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let listed: Vec<_> =
            taxes.iter().map(|t| (t.rate.map(|r| r.to_string()), t.net_amount, t.tax_amount)).collect();
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
}
