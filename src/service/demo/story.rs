//! What happens, in the order of its times: orders are placed, and then each has a life of its own. Only what is still
//! to come of the orders placed so far is kept in memory.

use super::{
    Plan,
    goods::{self, Market},
    people, season,
};
use crate::{
    domain::{id::UserId, order::Customer, time::Timestamp},
    error::Result,
    service::orders::NewOrder,
};
use std::{collections::BTreeMap, iter::Peekable, ops::Range, vec};

const HOUR_MILLIS: i64 = 3_600_000;
/// In hours.
const DAY: i64 = 24;
/// Orders for each customer there is, on average. A few buy every week, most bought once.
const ORDERS_OF_A_CUSTOMER: usize = 8;

/// Something that happens to an order.
pub(super) struct Step {
    pub(super) at: Timestamp,
    /// Which order: a number of this story's own.
    pub(super) order: usize,
    pub(super) deed: Deed,
    /// Whether nothing else happens to it.
    pub(super) last: bool,
}

/// What is done.
pub(super) enum Deed {
    Place(Box<NewOrder>),
    Pay(i64),
    Refund(i64),
    Confirm,
    Fulfil,
    Cancel(&'static str),
}

/// The steps, one after the other.
pub(super) struct Story {
    random: fastrand::Rng,
    markets: Vec<Market>,
    /// Users of the customers with the lowest numbers, who buy most.
    accounts: Vec<UserId>,
    customers: usize,
    until: i64,
    /// When an order is placed, and in which market.
    moments: Peekable<vec::IntoIter<(i64, usize)>>,
    placed: usize,
    /// What is to come, by time and order.
    agenda: BTreeMap<(i64, usize), (Deed, bool)>,
}

impl Story {
    pub(super) fn new(plan: &Plan, accounts: Vec<UserId>) -> Result<Self> {
        let (mut random, markets) = (fastrand::Rng::with_seed(plan.seed), goods::markets()?);
        let span = plan.from().millis()..plan.until.millis();
        let moment = |_| {
            let market = goods::SHARES[random.usize(0..goods::SHARES.len())];
            (season::moment(&mut random, &span, markets[market].offset_hours), market)
        };
        let mut moments: Vec<_> = (0..plan.orders).map(moment).collect();
        moments.sort_unstable();
        Ok(Self {
            customers: accounts.len().max(1 + plan.orders / ORDERS_OF_A_CUSTOMER),
            random,
            markets,
            accounts,
            until: plan.until.millis(),
            moments: moments.into_iter().peekable(),
            placed: 0,
            agenda: BTreeMap::new(),
        })
    }

    /// Places the next order, and puts what becomes of it on the agenda.
    fn place(&mut self, at: i64, market: usize) -> Result<Step> {
        let (order, buyer) = (self.placed, self.buyer());
        self.placed += 1;
        let new = goods::order(&mut self.random, &self.markets[market], buyer)?;
        let mut life = Life { random: &mut self.random, at, deeds: vec![] };
        life.unfold(new.draft.priced.totals.total);
        let mut deeds = life.deeds;
        deeds.retain(|(at, _)| *at < self.until);
        let count = deeds.len();
        for (number, (at, deed)) in (1..).zip(deeds) {
            self.agenda.insert((at, order), (deed, number == count));
        }
        Ok(Step { at: Timestamp::from_millis(at), order, deed: Deed::Place(Box::new(new)), last: count == 0 })
    }

    /// Somebody, low numbers far more often than high ones: one customer in fifteen places half of the orders.
    fn buyer(&mut self) -> (Option<UserId>, Option<Customer>) {
        let number = (0..3).fold(self.customers, |below, _| self.random.usize(0..below.max(1)));
        if let Some(account) = self.accounts.get(number) {
            return (Some(*account), None);
        }
        let (name, email) = people::person(number);
        (None, Some(Customer { name: Some(name), email: Some(email), ..Customer::default() }))
    }
}

impl Iterator for Story {
    type Item = Result<Step>;

    fn next(&mut self) -> Option<Self::Item> {
        let next_deed = self.agenda.first_key_value().map_or(i64::MAX, |((at, _), _)| *at);
        if let Some((at, market)) = self.moments.next_if(|(at, _)| *at <= next_deed) {
            return Some(self.place(at, market));
        }
        let ((at, order), (deed, last)) = self.agenda.pop_first()?;
        Some(Ok(Step { at: Timestamp::from_millis(at), order, deed, last }))
    }
}

/// What becomes of an order.
struct Life<'r> {
    random: &'r mut fastrand::Rng,
    at: i64,
    deeds: Vec<(i64, Deed)>,
}

impl Life<'_> {
    /// So many `hours` after what was before.
    fn then(&mut self, hours: Range<i64>, deed: Deed) {
        self.at += self.random.i64(hours.start * HOUR_MILLIS + 1..hours.end * HOUR_MILLIS);
        self.deeds.push((self.at, deed));
    }

    /// Most orders are paid and delivered; some are called off, some are given back, wholly or in part.
    fn unfold(&mut self, total: i64) {
        let fate = self.random.u32(0..1000);
        match fate {
            _ if total == 0 => return,
            0..10 => return,
            10..35 => return self.then(7 * DAY..14 * DAY, Deed::Cancel("Not paid")),
            35..65 => return self.then(0..2 * DAY, Deed::Cancel("Changed my mind")),
            65..90 => {
                self.then(0..2, Deed::Pay(total));
                self.then(0..DAY, Deed::Cancel("Out of stock"));
                return self.then(0..DAY, Deed::Refund(total));
            }
            _ => {}
        }
        let first = if fate < 130 { total - total / 2 } else { total };
        self.then(0..2, Deed::Pay(first));
        self.then(0..DAY, Deed::Confirm);
        self.then(DAY..4 * DAY, Deed::Fulfil);
        match fate {
            // The other half is paid later, or never.
            90..120 => self.then(5 * DAY..20 * DAY, Deed::Pay(total - first)),
            130..170 => self.then(DAY..14 * DAY, Deed::Refund(total)),
            170..230 => self.then(DAY..14 * DAY, Deed::Refund(1 + total / 4)),
            _ => {}
        }
    }
}
