//! The rules of credits a second time: how much a refund lowers what an order owes, and the tax in it.

use super::{
    price::{ByRate, half_up, shares},
    rules::{INVALID, Money, Order, Refusal},
};
use std::cmp::Reverse;

/// The request of a refund.
pub struct Ask {
    pub amount: Option<i128>,
    pub credit: Option<i128>,
    /// Lines, with the quantity that came back of each.
    pub returns: Vec<(usize, i128)>,
    /// The index of the transaction that it names as its payment.
    pub of: Option<usize>,
}

/// Goods that came back, and their credit.
#[derive(Clone)]
pub struct Goods {
    /// The identifier of the item. Items get new identifiers when they are replaced.
    pub item: String,
    pub quantity: i128,
    pub credit: i128,
    pub tax: i128,
}

/// The computed amounts of a refund.
pub struct Terms {
    pub amount: i128,
    pub credit: ByRate,
    pub goods: Vec<Goods>,
}

pub const LIVE: &[&str] = &["pending", "succeeded"];

pub fn sum(taxes: &ByRate) -> i128 {
    taxes.values().map(|(net, tax)| net + tax).sum()
}

impl Order {
    /// Net amount and tax by rate that refunds of these statuses have credited.
    pub fn credited(&self, statuses: &[&str]) -> ByRate {
        let mut all = ByRate::new();
        for money in self.money.iter().filter(|money| statuses.contains(&money.status)) {
            for (rate, (net, tax)) in &money.credit {
                let sums = all.entry(*rate).or_default();
                *sums = (sums.0 + net, sums.1 + tax);
            }
        }
        all
    }

    fn goods(&self, item: &str, statuses: &[&str]) -> impl Iterator<Item = &Goods> {
        let live = self.money.iter().filter(move |money| statuses.contains(&money.status));
        live.flat_map(|money| &money.goods).filter(move |goods| goods.item == item)
    }

    pub fn returned(&self, line: usize, statuses: &[&str]) -> i128 {
        self.items.get(line).map_or(0, |item| self.goods(item, statuses).map(|goods| goods.quantity).sum())
    }

    /// Whether refunds credited something or took goods back, pending ones included.
    pub fn has_credits(&self) -> bool {
        let live = |money: &&Money| LIVE.contains(&money.status);
        self.money.iter().filter(live).any(|money| !money.goods.is_empty() || !money.credit.is_empty())
    }

    fn left(&self) -> ByRate {
        let mut left = self.prices().taxes;
        for (rate, (net, tax)) in self.credited(LIVE) {
            let sums = left.get_mut(&rate).unwrap();
            *sums = (sums.0 - net, sums.1 - tax);
            assert!(sums.0 >= 0 && sums.1 >= 0, "more was credited than there is");
        }
        left
    }

    /// The amounts of a refund, without a check whether the order holds the money.
    fn terms(&self, ask: &Ask) -> Result<Terms, Refusal> {
        let cancelled = self.status == "cancelled";
        let left = self.left();
        let most = if cancelled { 0 } else { sum(&left) };
        let (goods, goods_credit) = self.share_of_goods(&ask.returns, &left)?;
        if ask.credit.is_some_and(|credit| credit > most) || (cancelled && !ask.returns.is_empty()) {
            return Err((422, "credit_exceeds_total"));
        }
        if ask.amount.is_none() && ask.returns.is_empty() {
            return Err(INVALID);
        }
        let kept = self.refundable(None);
        let overpaid = (kept - (self.prices().total() - sum(&self.credited(LIVE)))).max(0);
        let credit = match (ask.credit, ask.amount) {
            (Some(credit), _) => credit,
            (None, Some(amount)) if ask.returns.is_empty() => (amount - overpaid).clamp(0, most),
            (None, _) => sum(&goods_credit),
        };
        let of_goods = !ask.returns.is_empty() && credit == sum(&goods_credit);
        let uncredited = |goods: Goods| Goods { credit: 0, tax: 0, ..goods };
        let terms = Terms {
            amount: ask.amount.unwrap_or_else(|| credit.min(self.refundable(ask.of))),
            credit: if of_goods { goods_credit } else { share_of_rates(credit, &left) },
            goods: if of_goods { goods } else { goods.into_iter().map(uncredited).collect() },
        };
        let is_stated = ask.amount.is_some() || ask.credit.is_some();
        if terms.amount == 0 && credit == 0 && is_stated { Err(INVALID) } else { Ok(terms) }
    }

    pub fn refund(&self, ask: &Ask) -> Result<Terms, Refusal> {
        if ask.of.is_some_and(|at| !self.money[at].payment || self.money[at].status != "succeeded") {
            return Err(INVALID);
        }
        let terms = self.terms(ask)?;
        if terms.amount > self.refundable(ask.of) { Err((422, "refund_exceeds_paid")) } else { Ok(terms) }
    }

    /// The credit of goods: for each line the share of everything that came back so far, less what was credited before.
    fn share_of_goods(&self, returns: &[(usize, i128)], left: &ByRate) -> Result<(Vec<Goods>, ByRate), Refusal> {
        let (prices, mut left) = (self.prices(), left.clone());
        let (mut goods, mut credit): (Vec<Goods>, _) = (vec![], ByRate::new());
        for &(at, quantity) in returns {
            let (line, part, item) = (&self.lines[at], prices.lines[at], &self.items[at]);
            let before = self.goods(item, LIVE).chain(goods.iter().filter(|goods| goods.item == *item));
            let (mut returned, mut credited, mut taxed) = (quantity, 0, 0);
            for goods in before {
                (returned, credited, taxed) = (returned + goods.quantity, credited + goods.credit, taxed + goods.tax);
            }
            if returned > line.quantity {
                return Err((422, "return_exceeds_quantity"));
            }
            let total = (half_up(part.total * returned, line.quantity) - credited).max(0);
            let tax = (half_up(part.tax * returned, line.quantity) - taxed).clamp(0, total);
            let rate = Reverse(line.tax.rate());
            let mut nothing = (0, 0);
            let of_rate = left.get_mut(&rate).unwrap_or(&mut nothing);
            let (net, tax) = ((total - tax).max(0).min(of_rate.0), tax.min(of_rate.1));
            *of_rate = (of_rate.0 - net, of_rate.1 - tax);
            let sums = credit.entry(rate).or_default();
            *sums = (sums.0 + net, sums.1 + tax);
            goods.push(Goods { item: item.clone(), quantity, credit: net + tax, tax });
        }
        credit.retain(|_, sums| *sums != (0, 0));
        Ok((goods, credit))
    }
}

/// A credit without goods, shared in proportion to what is left at each rate.
fn share_of_rates(credit: i128, left: &ByRate) -> ByRate {
    let weights: Vec<_> = left.values().map(|(net, tax)| net + tax).collect();
    let parts = shares(credit, &weights);
    let shared = left.iter().zip(parts).filter(|(_, part)| *part > 0).map(|((rate, (net, tax)), part)| {
        let tax = half_up(part * tax, net + tax);
        (*rate, (part - tax, tax))
    });
    shared.collect()
}
