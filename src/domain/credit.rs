//! Credits: how much a refund lowers what an order owes, and the tax in it. It does not know where the money goes.
//!
//! Pending refunds count as done here: they reserve money, credit and goods until they are resolved.

use super::{
    money::{allocate, divide_rounded},
    pricing::TaxLine,
};

/// A line of an order with what refunds credited for goods of it so far. Amounts are minor units.
#[derive(Clone, Copy, Debug)]
pub struct CreditLine {
    /// Position of the line's rate in [`Credits::left`]; none for a line whose net amount and tax are 0.
    pub rate: Option<usize>,
    /// Ordered.
    pub quantity: i64,
    /// Net amount and tax.
    pub total_amount: i64,
    /// Tax.
    pub tax_amount: i64,
    /// Came back so far.
    pub returned_quantity: i64,
    /// Credited for what came back.
    pub credited_amount: i64,
    /// Tax in that.
    pub credited_tax_amount: i64,
}

/// What an order's refunds may still credit.
#[derive(Clone, Debug)]
pub struct Credits {
    /// The order's lines.
    pub lines: Vec<CreditLine>,
    /// Not credited yet, by rate: the order's `taxes` less those of its credits, in their order.
    pub left: Vec<TaxLine>,
    /// Money that the order holds beyond what it owes, minor units, ≥ 0.
    pub overpaid: i64,
    /// Money that can still be refunded, of the order and of the payment that the refund names, minor units.
    pub refundable: i64,
    /// A cancelled order owes nothing, so there is nothing to credit.
    pub is_cancelled: bool,
}

/// Goods that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// Index of the line.
    pub line: usize,
    /// At least 1.
    pub quantity: i64,
}

/// What the caller says about a refund. Amounts are minor units, ≥ 0.
#[derive(Clone, Copy, Debug)]
pub struct RefundRequest<'r> {
    /// Money that goes back; may be left out with `returns`.
    pub amount: Option<i64>,
    /// What the order owes less; computed if left out.
    pub credit_amount: Option<i64>,
    /// Goods that came back.
    pub returns: &'r [Return],
}

/// Goods that came back, with their part of the credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnedGoods {
    /// Index of the line.
    pub line: usize,
    /// Came back with this refund.
    pub quantity: i64,
    /// Credited for them, minor units; 0 where the refund's credit is another than theirs.
    pub credit_amount: i64,
    /// Tax in that.
    pub credit_tax_amount: i64,
}

/// A refund's money and credit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefundTerms {
    /// Money that goes back, minor units.
    pub amount: i64,
    /// Credit by rate, in the order of the order's `taxes`, without those that are 0.
    pub taxes: Vec<TaxLine>,
    /// One for each [`Return`], in the caller's order.
    pub returns: Vec<ReturnedGoods>,
}

impl RefundTerms {
    /// What the order owes less, minor units.
    pub fn credit_amount(&self) -> i64 {
        self.taxes.iter().map(TaxLine::total).sum()
    }

    /// Tax in the credit, minor units.
    pub fn credit_tax_amount(&self) -> i64 {
        self.taxes.iter().map(|line| line.tax_amount).sum()
    }
}

/// Why a refund cannot be credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditFault {
    /// More goods than are left: index in `returns`, and how many are left for it.
    ReturnExceedsQuantity {
        /// Index in [`RefundRequest::returns`].
        index: usize,
        /// How many are left.
        most: i64,
    },
    /// More credit than is left.
    CreditExceedsTotal {
        /// Left to credit, minor units.
        most: i64,
    },
    /// Neither an amount nor goods.
    AmountRequired,
    /// Neither money nor credit, as stated.
    NothingGoesBack,
}

impl Credits {
    /// Left to credit, minor units.
    pub fn total_left(&self) -> i64 {
        if self.is_cancelled { 0 } else { self.left.iter().map(TaxLine::total).sum() }
    }

    /// Decides how much money goes back and how it is credited, or names every fault. It does not check that the money
    /// is there.
    pub fn refund(&self, request: &RefundRequest<'_>) -> Result<RefundTerms, Vec<CreditFault>> {
        let RefundRequest { amount, credit_amount, returns } = *request;
        let mut faults = self.excess_returns(returns);
        let most = self.total_left();
        if credit_amount.is_some_and(|credit| credit > most) || (self.is_cancelled && !returns.is_empty()) {
            faults.push(CreditFault::CreditExceedsTotal { most });
        }
        if amount.is_none() && returns.is_empty() {
            faults.push(CreditFault::AmountRequired);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let (goods, goods_taxes) = self.goods(returns);
        let goods_total: i64 = goods.iter().map(|part| part.credit_amount).sum();
        let credit = match (credit_amount, amount) {
            (Some(credit), _) => credit,
            (None, Some(amount)) if returns.is_empty() => (amount - self.overpaid).clamp(0, most),
            (None, _) => goods_total,
        };
        let is_of_goods = !returns.is_empty() && credit == goods_total;
        let uncredited = || goods.iter().map(|part| ReturnedGoods { credit_amount: 0, credit_tax_amount: 0, ..*part });
        let terms = RefundTerms {
            amount: amount.unwrap_or_else(|| credit.min(self.refundable).max(0)),
            taxes: if is_of_goods { goods_taxes } else { self.share(credit) },
            returns: if is_of_goods { goods } else { uncredited().collect() },
        };
        // Goods alone may be worth nothing: a gift, or all that was credited before.
        if terms.amount == 0 && credit == 0 && (amount.is_some() || credit_amount.is_some()) {
            return Err(vec![CreditFault::NothingGoesBack]);
        }
        Ok(terms)
    }

    /// Goods that come back without money or credit, or every fault.
    pub fn returns_alone(&self, returns: &[Return]) -> Result<RefundTerms, Vec<CreditFault>> {
        let faults = self.excess_returns(returns);
        let part = |part: &Return| ReturnedGoods {
            line: part.line,
            quantity: part.quantity,
            credit_amount: 0,
            credit_tax_amount: 0,
        };
        let terms = RefundTerms { returns: returns.iter().map(part).collect(), ..RefundTerms::default() };
        if faults.is_empty() { Ok(terms) } else { Err(faults) }
    }

    fn excess_returns(&self, returns: &[Return]) -> Vec<CreditFault> {
        let mut left: Vec<_> = self.lines.iter().map(|line| line.quantity - line.returned_quantity).collect();
        let mut faults = vec![];
        for (index, part) in returns.iter().enumerate() {
            let most = left[part.line];
            if part.quantity > most {
                faults.push(CreditFault::ReturnExceedsQuantity { index, most });
            } else {
                left[part.line] -= part.quantity;
            }
        }
        faults
    }

    /// The credit of goods. What a line's goods are credited is the rounded share of all that came back of it, less
    /// what was credited before: so the parts of a line add up to the line, whatever the rounding.
    fn goods(&self, returns: &[Return]) -> (Vec<ReturnedGoods>, Vec<TaxLine>) {
        let (mut lines, mut left) = (self.lines.clone(), self.left.clone());
        let part = |Return { line, quantity }: &Return| {
            let state = &mut lines[*line];
            state.returned_quantity += quantity;
            let total = (state.share(state.total_amount) - state.credited_amount).max(0);
            // Rounding can raise the share of the tax before that of the total; then the tax follows with a later part.
            let tax = (state.share(state.tax_amount) - state.credited_tax_amount).clamp(0, total);
            let mut nothing = NOTHING;
            let at_rate = state.rate.map_or(&mut nothing, |rate| &mut left[rate]);
            let net = (total - tax).clamp(0, at_rate.net_amount);
            let tax = tax.min(at_rate.tax_amount);
            at_rate.net_amount -= net;
            at_rate.tax_amount -= tax;
            state.credited_amount += net + tax;
            state.credited_tax_amount += tax;
            ReturnedGoods { line: *line, quantity: *quantity, credit_amount: net + tax, credit_tax_amount: tax }
        };
        let goods = returns.iter().map(part).collect();
        (goods, difference(&self.left, &left))
    }

    /// A credit that is of no goods, shared among the rates in proportion to what is left of each.
    fn share(&self, credit: i64) -> Vec<TaxLine> {
        let totals: Vec<_> = self.left.iter().map(TaxLine::total).collect();
        let shared = allocate(credit, &totals).into_iter().zip(&self.left).map(|(part, left)| {
            let tax = match left.total() {
                0 => 0,
                total => divide_rounded(i128::from(part) * i128::from(left.tax_amount), total.into()),
            };
            let tax_amount = i64::try_from(tax).expect("a tax is at most the amount");
            TaxLine { rate: left.rate, net_amount: part - tax_amount, tax_amount }
        });
        shared.filter(|line| line.total() != 0).collect()
    }
}

const NOTHING: TaxLine = TaxLine { rate: None, net_amount: 0, tax_amount: 0 };

impl CreditLine {
    /// The share of `amount` that falls to what came back of the line.
    fn share(&self, amount: i64) -> i64 {
        let share = divide_rounded(i128::from(amount) * i128::from(self.returned_quantity), self.quantity.into());
        i64::try_from(share).expect("no more comes back than was ordered")
    }
}

/// What `less` has less than `more`, by rate, without those that are 0.
fn difference(more: &[TaxLine], less: &[TaxLine]) -> Vec<TaxLine> {
    let lines = more.iter().zip(less).map(|(more, less)| TaxLine {
        rate: more.rate,
        net_amount: more.net_amount - less.net_amount,
        tax_amount: more.tax_amount - less.tax_amount,
    });
    lines.filter(|line| line.total() != 0).collect()
}

#[cfg(test)]
mod tests;
