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

impl LineTotals {
    /// Net amount and tax of the line, taxed like this.
    pub fn tax_line(&self, tax: Tax) -> TaxLine {
        TaxLine::of_total(tax.rate(), self.total_amount, self.tax_amount)
    }
}

/// Computed amounts of a fee, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeTotals {
    /// Tax of the fee.
    pub tax_amount: i64,
    /// Net amount and tax.
    pub total_amount: i64,
}

impl FeeTotals {
    /// Net amount and tax of the fee, taxed like this.
    pub fn tax_line(&self, tax: Tax) -> TaxLine {
        TaxLine::of_total(tax.rate(), self.total_amount, self.tax_amount)
    }
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
    /// The part of a total that is not tax, and the tax.
    pub fn of_total(rate: Option<TaxRate>, total_amount: i64, tax_amount: i64) -> Self {
        Self { rate, net_amount: total_amount.saturating_sub(tax_amount), tax_amount }
    }

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

/// Prices a cart in four steps: the order discount is allocated to the lines, each line and fee gets its tax, and all
/// are summed up. Answers with every fault if there is no price.
///
/// # Panics
/// Never: the parts of a total that is within bounds are, too.
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
    let mut taxed = |base, tax, field| {
        split(base, tax).unwrap_or_else(|most| {
            faults.push(too_large(field, most));
            Parts::default()
        })
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
        let field = if fee.tax.rate().is_some() { FeeField::Amount } else { FeeField::TaxAmount };
        let parts = taxed(fee.amount, fee.tax, Field::Fee(i, field));
        fees.push(FeeTotals { tax_amount: parts.tax, total_amount: parts.net + parts.tax });
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let totals = totals(cart, &lines, &fees).ok_or_else(|| vec![too_large(Field::Items, None)])?;
    let of_lines = cart.lines.iter().zip(&lines).map(|(line, totals)| totals.tax_line(line.tax));
    let of_fees = cart.fees.iter().zip(&fees).map(|(fee, totals)| totals.tax_line(fee.tax));
    // They are parts of the total, which is within bounds.
    let taxes = by_rate(of_lines.chain(of_fees)).expect("parts of the total");
    Ok(Priced { lines, fees, taxes, totals })
}

/// The sums of net amounts and taxes by rate: the highest first, `None` last, without those whose net and tax are 0.
/// None if a sum leaves the range of exact integers.
pub fn by_rate(parts: impl Iterator<Item = TaxLine>) -> Option<Vec<TaxLine>> {
    let mut sums: BTreeMap<Option<TaxRate>, (i128, i128)> = BTreeMap::new();
    for part in parts {
        let (net, tax) = sums.entry(part.rate).or_default();
        *net += i128::from(part.net_amount);
        *tax += i128::from(part.tax_amount);
    }
    let sums = sums.into_iter().rev().filter(|(_, sums)| *sums != (0, 0));
    sums.map(|(rate, (net, tax))| Some(TaxLine { rate, net_amount: amount(net)?, tax_amount: amount(tax)? })).collect()
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
mod tests;
