//! The rules of prices a second time, written as simply as possible and independently of the service.

use serde_json::{Value, json};
use std::{cmp::Reverse, collections::BTreeMap};

/// Ten-thousandths of a percent; none where a tax was given as an amount.
pub type Rate = Option<i128>;

/// Net amount and tax by rate: the highest rate first, amounts without a rate last.
pub type ByRate = BTreeMap<Reverse<Rate>, (i128, i128)>;

#[derive(Clone, PartialEq)]
pub enum Tax {
    /// In ten-thousandths of a percent.
    Rate(i128),
    Amount(i128),
}

#[derive(Clone, PartialEq)]
pub struct Line {
    pub sku: String,
    pub quantity: i128,
    pub unit: i128,
    pub discount: i128,
    pub tax: Tax,
}

#[derive(Clone, PartialEq)]
pub struct Fee {
    pub amount: i128,
    pub tax: Tax,
}

/// The computed amounts of a line or fee.
#[derive(Clone, Copy)]
pub struct Part {
    /// Its share of the order's discount.
    pub allocated: i128,
    pub tax: i128,
    pub total: i128,
}

/// The computed amounts of an order.
pub struct Prices {
    pub lines: Vec<Part>,
    pub fees: Vec<Part>,
    pub taxes: ByRate,
}

/// Rounds half away from zero: adds half a unit and rounds down. Nothing is negative here.
pub fn half_up(dividend: i128, divisor: i128) -> i128 {
    (2 * dividend + divisor) / (2 * divisor)
}

/// Shares an amount in proportion to the weights. The units that are left after rounding down go to the largest
/// remainders; of equal remainders, to the first.
pub fn shares(amount: i128, weights: &[i128]) -> Vec<i128> {
    let whole = weights.iter().sum::<i128>().max(1);
    let mut parts: Vec<_> = weights.iter().map(|weight| amount * weight / whole).collect();
    let mut remainders: Vec<_> = weights.iter().map(|weight| amount * weight % whole).collect();
    while parts.iter().sum::<i128>() < amount {
        let largest = *remainders.iter().max().unwrap();
        let first = remainders.iter().position(|remainder| *remainder == largest).unwrap();
        parts[first] += 1;
        remainders[first] = -1;
    }
    parts
}

impl Tax {
    pub fn rate(&self) -> Rate {
        if let Self::Rate(parts) = self { Some(*parts) } else { None }
    }

    /// The tax that a base includes, or that is added to it.
    fn of(&self, base: i128, included: bool) -> i128 {
        match self {
            Self::Rate(parts) => half_up(base * parts, 1_000_000 + if included { *parts } else { 0 }),
            Self::Amount(amount) => *amount,
        }
    }

    fn part(&self, base: i128, allocated: i128, included: bool) -> Option<Part> {
        let tax = self.of(base, included);
        (!included || tax <= base).then(|| Part { allocated, tax, total: if included { base } else { base + tax } })
    }

    /// Adds the tax to a request. Rates are sent with all four decimals and are shown without trailing zeros.
    fn ask(&self, body: &mut Value) {
        match self {
            Self::Rate(parts) => body["tax_rate"] = format!("{}.{:04}", parts / 10_000, parts % 10_000).into(),
            Self::Amount(0) => {}
            Self::Amount(amount) => body["tax_amount"] = int(*amount),
        }
    }
}

pub fn rate_text(rate: Rate) -> Value {
    rate.map_or(Value::Null, |parts| {
        let text = format!("{}.{:04}", parts / 10_000, parts % 10_000);
        text.trim_end_matches('0').trim_end_matches('.').into()
    })
}

pub fn tax_documents(taxes: &ByRate) -> Value {
    let line = |(rate, (net, tax)): (&Reverse<Rate>, &(i128, i128))| json!({"tax_rate": rate_text(rate.0), "net_amount": int(*net), "tax_amount": int(*tax)});
    taxes.iter().map(line).collect()
}

impl Line {
    pub fn gross(&self) -> i128 {
        self.quantity * self.unit
    }

    /// The line in a request.
    pub fn request(&self) -> Value {
        let mut line =
            json!({"sku": self.sku, "name": self.sku, "quantity": int(self.quantity), "unit_amount": int(self.unit)});
        if self.discount != 0 {
            line["discount_amount"] = int(self.discount);
        }
        self.tax.ask(&mut line);
        line
    }

    pub fn document(&self, part: &Part, returned: i128) -> Value {
        json!({
            "sku": self.sku, "name": self.sku, "quantity": int(self.quantity), "returned_quantity": int(returned),
            "unit_amount": int(self.unit), "discount_amount": int(self.discount),
            "allocated_discount_amount": int(part.allocated), "tax_rate": rate_text(self.tax.rate()),
            "tax_amount": int(part.tax), "total_amount": int(part.total),
        })
    }
}

impl Fee {
    pub fn request(&self) -> Value {
        let mut fee = json!({"name": "Fee", "amount": int(self.amount)});
        self.tax.ask(&mut fee);
        fee
    }

    pub fn document(&self, part: &Part) -> Value {
        json!({
            "name": "Fee", "amount": int(self.amount), "tax_rate": rate_text(self.tax.rate()),
            "tax_amount": int(part.tax), "total_amount": int(part.total),
        })
    }
}

/// The amounts of an order of these lines and fees; none if it cannot be priced.
pub fn prices(lines: &[Line], fees: &[Fee], discount: i128, included: bool) -> Option<Prices> {
    let weights: Vec<_> = lines.iter().map(|line| line.gross() - line.discount).collect();
    if weights.iter().any(|weight| *weight < 0) || discount > weights.iter().sum() {
        return None;
    }
    let allocated = shares(discount, &weights);
    let bases = weights.iter().zip(&allocated);
    let priced = lines.iter().zip(bases).map(|(line, (weight, share))| line.tax.part(weight - share, *share, included));
    let lines_priced: Vec<_> = priced.collect::<Option<_>>()?;
    let fees_priced: Vec<_> = fees.iter().map(|fee| fee.tax.part(fee.amount, 0, included)).collect::<Option<_>>()?;
    let rates = lines.iter().map(|line| line.tax.rate()).chain(fees.iter().map(|fee| fee.tax.rate()));
    let mut taxes = ByRate::new();
    for (rate, part) in rates.zip(lines_priced.iter().chain(&fees_priced)) {
        let sums = taxes.entry(Reverse(rate)).or_default();
        *sums = (sums.0 + part.total - part.tax, sums.1 + part.tax);
    }
    taxes.retain(|_, sums| *sums != (0, 0));
    Some(Prices { lines: lines_priced, fees: fees_priced, taxes })
}

impl Prices {
    pub fn total(&self) -> i128 {
        self.lines.iter().chain(&self.fees).map(|part| part.total).sum()
    }

    pub fn tax(&self) -> i128 {
        self.lines.iter().chain(&self.fees).map(|part| part.tax).sum()
    }
}

pub fn int(value: i128) -> Value {
    i64::try_from(value).unwrap().into()
}
