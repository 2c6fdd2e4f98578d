//! Pricing: computes every total of an order from its lines, fees and discounts, in exact integers.

use super::money::{MAX_AMOUNT, TaxRate, amount};
use crate::error::{Fault, Field, ItemField};

/// How a line is taxed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tax {
    /// By a rate on the net amount of the line, rounded per line.
    Rate(TaxRate),
    /// By an amount that the caller computed, in minor units. 0 for an untaxed line.
    Amount(i64),
}

/// A line of an order, before it is priced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Stock-keeping unit.
    pub sku: String,
    /// The name that the customer sees.
    pub name: String,
    /// At least 1.
    pub quantity: i64,
    /// The price of one piece, in minor units.
    pub unit_amount: i64,
    /// The discount on the whole line, in minor units.
    pub discount_amount: i64,
    /// How the line is taxed.
    pub tax: Tax,
}

/// A charge besides the lines, such as shipping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fee {
    /// The name that the customer sees.
    pub name: String,
    /// Minor units, 0 or more.
    pub amount: i64,
}

/// The totals of a line, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTotals {
    /// Tax on the net amount.
    pub tax_amount: i64,
    /// Net amount plus tax.
    pub total_amount: i64,
}

/// The totals of an order, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The sum of quantity × unit amount.
    pub subtotal: i64,
    /// The discounts on lines plus the discount on the whole order.
    pub discount: i64,
    /// The sum of fees.
    pub fee: i64,
    /// The sum of the tax on lines.
    pub tax: i64,
    /// subtotal − discount + fee + tax.
    pub total: i64,
}

/// Prices `lines` with `fees` and a discount on the whole order.
///
/// # Errors
/// Every fault that prevents it.
pub fn price(lines: &[Line], fees: &[Fee], order_discount: i64) -> Result<(Vec<LineTotals>, Totals), Vec<Fault>> {
    let mut faults = vec![];
    let mut priced = Vec::with_capacity(lines.len());
    let (mut subtotal, mut discount, mut tax) = (0_i128, i128::from(order_discount), 0_i128);
    for (i, line) in lines.iter().enumerate() {
        match price_line(line) {
            Ok(totals) => {
                tax += i128::from(totals.tax_amount);
                priced.push(totals);
            }
            Err((field, code, detail)) => faults.push(Fault::new(Field::Item(i, field), code, detail)),
        }
        subtotal += i128::from(line.quantity) * i128::from(line.unit_amount);
        discount += i128::from(line.discount_amount);
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let fee: i128 = fees.iter().map(|fee| i128::from(fee.amount)).sum();
    let total = subtotal - discount + fee + tax;
    if total < 0 {
        let most = i128::from(order_discount) + total;
        let detail = format!("must be at most {most}, or the total would be negative");
        return Err(vec![Fault::new(Field::OrderDiscountAmount, "too_large", detail)]);
    }
    let sums = [subtotal, discount, fee, tax, total].map(amount);
    let [Some(subtotal), Some(discount), Some(fee), Some(tax), Some(total)] = sums else {
        return Err(vec![Fault::new(Field::Items, "too_large", format!("the totals must be at most {MAX_AMOUNT}"))]);
    };
    Ok((priced, Totals { subtotal, discount, fee, tax, total }))
}

/// The totals of one line; or the field at fault, the code of the fault and what would be correct.
fn price_line(line: &Line) -> Result<LineTotals, (ItemField, &'static str, String)> {
    let too_large = |field| (field, "too_large", format!("the line's total must be at most {MAX_AMOUNT}"));
    let gross = amount(i128::from(line.quantity) * i128::from(line.unit_amount))
        .ok_or_else(|| too_large(ItemField::UnitAmount))?;
    let net = gross - line.discount_amount;
    if net < 0 {
        return Err((ItemField::DiscountAmount, "too_large", format!("must be at most {gross}")));
    }
    let tax = match &line.tax {
        Tax::Rate(rate) => rate.of(net),
        Tax::Amount(tax) => i128::from(*tax),
    };
    let total = amount(i128::from(net) + tax).ok_or_else(|| too_large(ItemField::UnitAmount))?;
    Ok(LineTotals { tax_amount: total - net, total_amount: total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(quantity: i64, unit_amount: i64, discount_amount: i64, tax: Tax) -> Line {
        Line { sku: "S".into(), name: "N".into(), quantity, unit_amount, discount_amount, tax }
    }

    fn rate(text: &str) -> Tax {
        Tax::Rate(TaxRate::parse(text).unwrap())
    }

    #[test]
    fn tax_by_rate_is_rounded_for_each_line() {
        let (lines, totals) = price(&[line(2, 1250, 0, rate("8.875"))], &[], 0).unwrap();
        assert_eq!(lines, [LineTotals { tax_amount: 222, total_amount: 2722 }]);
        assert_eq!(totals, Totals { subtotal: 2500, discount: 0, fee: 0, tax: 222, total: 2722 });
    }

    #[test]
    fn fees_discounts_and_given_tax_add_up() {
        let fees = [Fee { name: "Shipping".into(), amount: 499 }, Fee { name: "Wrap".into(), amount: 1 }];
        let (_, totals) = price(&[line(3, 100, 50, Tax::Amount(20)), line(1, 10, 10, rate("19"))], &fees, 60).unwrap();
        assert_eq!(totals, Totals { subtotal: 310, discount: 120, fee: 500, tax: 20, total: 710 });
    }

    #[test]
    fn every_line_at_fault_is_named() {
        let lines = [line(1, 5, 6, Tax::Amount(0)), line(1, 5, 5, Tax::Amount(0)), line(2, 5, 11, Tax::Amount(0))];
        let discount_of = |i, most| {
            Fault::new(Field::Item(i, ItemField::DiscountAmount), "too_large", format!("must be at most {most}"))
        };
        assert_eq!(price(&lines, &[], 0).unwrap_err(), [discount_of(0, 5), discount_of(2, 10)]);
    }

    #[test]
    fn totals_beyond_exact_integers_and_below_zero_are_refused() {
        assert!(
            price(&[line(1_000_000, super::super::money::MAX_AMOUNT / 1_000_000, 0, Tax::Amount(0))], &[], 0)
                .is_ok_and(|(_, t)| t.total > 0)
        );
        assert!(price(&[line(1_000_000, super::super::money::MAX_AMOUNT, 0, Tax::Amount(0))], &[], 0).is_err());
        let half = super::super::money::MAX_AMOUNT / 2 + 1;
        assert!(price(&[line(1, half, 0, Tax::Amount(0)), line(1, half, 0, Tax::Amount(0))], &[], 0).is_err());
        let faults = price(&[line(1, 100, 0, Tax::Amount(0))], &[], 101).unwrap_err();
        assert_eq!(faults[0].detail, "must be at most 100, or the total would be negative");
    }

    proptest! {
        #[test]
        fn the_total_is_the_sum_of_its_parts(
            lines in prop::collection::vec((1_i64..1000, 0_i64..1_000_000, 0_i64..100, 0_i64..=1_000_000), 1..20),
            fees in prop::collection::vec(0_i64..10_000, 0..3),
        ) {
            let lines: Vec<_> = lines
                .into_iter()
                .map(|(quantity, unit, discount, parts)| {
                    let percent = format!("{}.{:04}", parts / 10_000, parts % 10_000);
                    line(quantity, unit, discount.min(quantity * unit), rate(&percent))
                })
                .collect();
            let fees: Vec<_> = fees.into_iter().map(|amount| Fee { name: "f".into(), amount }).collect();
            let (priced, totals) = price(&lines, &fees, 0).unwrap();
            let fee_sum: i64 = fees.iter().map(|f| f.amount).sum();
            prop_assert_eq!(totals.total, priced.iter().map(|l| l.total_amount).sum::<i64>() + fee_sum);
            prop_assert_eq!(totals.total, totals.subtotal - totals.discount + totals.fee + totals.tax);
            for (line, priced) in lines.iter().zip(&priced) {
                let net = line.quantity * line.unit_amount - line.discount_amount;
                prop_assert!((0..=net).contains(&priced.tax_amount), "no rate is above 100 %");
            }
        }

        #[test]
        fn the_most_that_can_be_taken_off_is_named(
            units in prop::collection::vec(0_i64..10_000, 1..5), fee in 0_i64..500, discount in 0_i64..60_000,
        ) {
            let lines: Vec<_> = units.iter().map(|&unit| line(1, unit, 0, rate("7.5"))).collect();
            let fees = [Fee { name: "f".into(), amount: fee }];
            let (_, whole) = price(&lines, &fees, 0).unwrap();
            match price(&lines, &fees, discount) {
                Ok((_, totals)) => prop_assert_eq!(totals.total, whole.total - discount),
                Err(faults) => {
                    prop_assert!(discount > whole.total);
                    let named = format!("at most {},", whole.total);
                    prop_assert!(faults[0].detail.contains(&named));
                    prop_assert_eq!(price(&lines, &fees, whole.total).unwrap().1.total, 0);
                }
            }
        }
    }
}
