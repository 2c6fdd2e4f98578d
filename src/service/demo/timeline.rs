//! The steps of demo orders in order of time: each order is placed, and then paid, delivered, cancelled or refunded.
//! Only the future steps of orders already placed are in memory.

use super::{
    Plan,
    goods::{self, Buyer, Market},
    people, season,
};
use crate::{
    domain::{id::UserId, order::Customer, time::Timestamp},
    error::Result,
    service::orders::NewOrder,
};
use std::{collections::BTreeMap, iter::Peekable, ops::Range, vec};

const HOUR_MILLIS: i64 = 3_600_000;
/// Hours of a day.
const DAY: i64 = 24;
/// Orders per customer, on average. Few customers buy every week; most buy once.
const ORDERS_OF_A_CUSTOMER: usize = 8;

/// One action on one order.
pub(super) struct Step {
    pub(super) at: Timestamp,
    /// The order, by a number that is used only here.
    pub(super) order: usize,
    pub(super) action: Action,
    /// Whether this is the last step of the order.
    pub(super) last: bool,
}

/// What is done to an order.
pub(super) enum Action {
    Place(Box<NewOrder>),
    Pay(i64),
    /// Gives money back out of goodwill, or after a cancellation.
    Refund(i64),
    /// Takes one piece of the first item back.
    ReturnOne,
    /// Takes everything back, and pays the shipping back, too.
    ReturnAll,
    /// Records that the bank took money back, which is still owed.
    ChargeBack(i64),
    /// Reverses the newest payment or refund, for this reason.
    Reverse(&'static str),
    Confirm,
    Fulfil,
    Cancel(&'static str),
}

/// An iterator over all steps.
pub(super) struct Timeline {
    random: fastrand::Rng,
    markets: Vec<Market>,
    /// The accounts of the customers with the lowest numbers, who buy most.
    accounts: Vec<UserId>,
    customers: usize,
    until: i64,
    /// The time and the market of each order to be placed.
    orders: Peekable<vec::IntoIter<(i64, usize)>>,
    placed: usize,
    /// Future steps by time and order, each with whether it is the last one of its order.
    planned: BTreeMap<(i64, usize), (Action, bool)>,
}

impl Timeline {
    pub(super) fn new(plan: &Plan, accounts: Vec<UserId>) -> Result<Self> {
        let (mut random, markets) = (fastrand::Rng::with_seed(plan.seed), goods::markets()?);
        let span = plan.from().millis()..plan.until.millis();
        let moment = |_| {
            let market = goods::SHARES[random.usize(0..goods::SHARES.len())];
            (season::moment(&mut random, &span, markets[market].offset_hours), market)
        };
        let mut orders: Vec<_> = (0..plan.orders).map(moment).collect();
        orders.sort_unstable();
        Ok(Self {
            customers: accounts.len().max(1 + plan.orders / ORDERS_OF_A_CUSTOMER),
            random,
            markets,
            accounts,
            until: plan.until.millis(),
            orders: orders.into_iter().peekable(),
            placed: 0,
            planned: BTreeMap::new(),
        })
    }

    /// Places the next order and plans its later steps.
    fn place(&mut self, at: i64, market: usize) -> Result<Step> {
        let (order, buyer) = (self.placed, self.buyer());
        self.placed += 1;
        let new = goods::order(&mut self.random, &self.markets[market], buyer)?;
        let mut course = Course { random: &mut self.random, at, steps: vec![] };
        course.plan(new.draft.priced.totals.total);
        let mut steps = course.steps;
        steps.retain(|(at, _)| *at < self.until);
        let count = steps.len();
        for (number, (at, action)) in (1..).zip(steps) {
            self.planned.insert((at, order), (action, number == count));
        }
        Ok(Step { at: Timestamp::from_millis(at), order, action: Action::Place(Box::new(new)), last: count == 0 })
    }

    /// A random customer. Low numbers are far more frequent: one customer in fifteen places half of the orders.
    fn buyer(&mut self) -> Buyer {
        let number = (0..3).fold(self.customers, |below, _| self.random.usize(0..below.max(1)));
        let (name, email) = people::person(number);
        let customer = Customer { name: Some(name), email: Some(email), ..Customer::default() };
        match self.accounts.get(number) {
            Some(account) => Buyer::Account(*account, customer),
            None => Buyer::Guest(customer),
        }
    }
}

impl Iterator for Timeline {
    type Item = Result<Step>;

    fn next(&mut self) -> Option<Self::Item> {
        let next_step = self.planned.first_key_value().map_or(i64::MAX, |((at, _), _)| *at);
        if let Some((at, market)) = self.orders.next_if(|(at, _)| *at <= next_step) {
            return Some(self.place(at, market));
        }
        let ((at, order), (action, last)) = self.planned.pop_first()?;
        Some(Ok(Step { at: Timestamp::from_millis(at), order, action, last }))
    }
}

/// What happens to one order after it is placed.
struct Course<'r> {
    random: &'r mut fastrand::Rng,
    at: i64,
    /// The steps so far, each with its time in milliseconds.
    steps: Vec<(i64, Action)>,
}

impl Course<'_> {
    /// Adds a step a random number of `hours` after the one before.
    fn then(&mut self, hours: Range<i64>, action: Action) {
        self.at += self.random.i64(hours.start * HOUR_MILLIS + 1..hours.end * HOUR_MILLIS);
        self.steps.push((self.at, action));
    }

    /// Decides the steps: most orders are paid and delivered. Some are cancelled, and of some goods come back.
    fn plan(&mut self, total: i64) {
        let chance = self.random.u32(0..1000);
        match chance {
            _ if total == 0 => return,
            0..10 => return,
            10..35 => return self.then(7 * DAY..14 * DAY, Action::Cancel("Not paid")),
            35..65 => return self.then(0..2 * DAY, Action::Cancel("Changed my mind")),
            65..90 => {
                self.then(0..2, Action::Pay(total));
                self.then(0..DAY, Action::Cancel("Out of stock"));
                return self.then(0..DAY, Action::Refund(total));
            }
            230..235 => {
                self.then(0..2, Action::Pay(10 * total));
                self.then(0..2, Action::Reverse("The amount was mistyped"));
            }
            _ => {}
        }
        let first = if chance < 130 { total - total / 2 } else { total };
        self.then(0..2, Action::Pay(first));
        self.then(0..DAY, Action::Confirm);
        self.then(DAY..4 * DAY, Action::Fulfil);
        match chance {
            // The other half is paid later, or never.
            90..120 => self.then(5 * DAY..20 * DAY, Action::Pay(total - first)),
            130..165 => self.then(DAY..14 * DAY, Action::ReturnAll),
            165..200 => self.then(DAY..14 * DAY, Action::ReturnOne),
            200..225 => self.then(DAY..14 * DAY, Action::Refund(1 + total / 10)),
            225..230 => self.then(14 * DAY..40 * DAY, Action::ChargeBack(total)),
            235..240 => {
                self.then(DAY..14 * DAY, Action::Refund(1 + total / 10));
                self.then(0..DAY, Action::Reverse("It was refunded by mistake"));
            }
            _ => {}
        }
    }
}
