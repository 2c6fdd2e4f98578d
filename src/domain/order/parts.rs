//! The parts of a stored order that refunds can credit: items, fees and taxes by rate. Amounts are minor units.

use crate::domain::{
    id::ItemId,
    money::TaxRate,
    pricing::{Fee, FeeTotals, Line, LineTotals, TaxLine},
};

/// A line of a stored order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it where there is no comment")]
pub struct Item {
    pub id: ItemId,
    pub line: Line,
    pub totals: LineTotals,
    /// Goods of this line that came back.
    pub returns: Returns,
}

/// Goods of a line that came back, and the credit for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Returns {
    /// Came back with succeeded refunds.
    pub quantity: i64,
    /// Comes back with pending refunds.
    pub reserved_quantity: i64,
    /// Credited for both.
    pub credited_amount: i64,
    /// Tax in that credit.
    pub credited_tax_amount: i64,
}

/// A charge of a stored order besides its items.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct OrderFee {
    pub fee: Fee,
    pub totals: FeeTotals,
}

/// Net amount and tax of an order at one rate, and the part of both that refunds credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTax {
    /// Of the whole order.
    pub whole: TaxLine,
    /// Credited by succeeded refunds.
    pub credited: NetAndTax,
    /// Credited by pending refunds.
    pub reserved: NetAndTax,
}

/// A net amount and the tax on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct NetAndTax {
    pub net_amount: i64,
    pub tax_amount: i64,
}

impl OrderTax {
    /// A rate of which nothing was credited yet.
    pub fn uncredited(whole: TaxLine) -> Self {
        Self { whole, credited: NetAndTax::default(), reserved: NetAndTax::default() }
    }

    /// `None` for items and fees without a rate.
    pub fn rate(&self) -> Option<TaxRate> {
        self.whole.rate
    }

    /// Credited neither by succeeded nor by pending refunds.
    pub fn left(&self) -> TaxLine {
        TaxLine {
            rate: self.whole.rate,
            net_amount: self.whole.net_amount - self.credited.net_amount - self.reserved.net_amount,
            tax_amount: self.whole.tax_amount - self.credited.tax_amount - self.reserved.tax_amount,
        }
    }
}
