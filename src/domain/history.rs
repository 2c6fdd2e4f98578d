//! What an order went through before an import brought it along: its status, when it got there, and its payments and
//! refunds. The rules here need nothing but the line of the import; `credit.rs` decides what a refund credits.

#[cfg(test)]
mod tests;

use super::{
    order::OrderStatus,
    time::Timestamp,
    transaction::{Kind, TransactionStatus},
};
use crate::error::{Fault, Field, TransactionField};

/// The earliest instant at which an order can have been placed or money can have moved: 2000-01-01T00:00:00Z.
pub const EARLIEST: Timestamp = Timestamp::from_millis(946_684_800_000);

/// The past of an imported order.
#[derive(Clone, Debug)]
pub struct History {
    /// Its number; none for the next one.
    pub number: Option<i64>,
    /// Its present status.
    pub status: OrderStatus,
    /// The times that are known.
    pub times: Times,
    /// Whether it was cancelled as a draft.
    pub cancelled_as_draft: bool,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// Its payments and refunds, oldest first.
    pub transactions: Vec<PastTransaction>,
}

/// When an order reached its statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Times {
    pub placed_at: Option<Timestamp>,
    pub confirmed_at: Option<Timestamp>,
    pub fulfilled_at: Option<Timestamp>,
    pub cancelled_at: Option<Timestamp>,
}

/// A payment or refund of the past. Amounts are minor units.
#[derive(Clone, Debug)]
pub struct PastTransaction {
    /// Payment or refund.
    pub kind: Kind,
    /// Its present status.
    pub status: TransactionStatus,
    /// The amount.
    pub amount: i64,
    /// For a refund: how much less the order owes. None means that it is computed.
    pub credit_amount: Option<i64>,
    /// For a refund: the goods that came back, each with the position of its line.
    pub returns: Vec<super::credit::Return>,
    /// For a refund: the position of the payment that it refunds.
    pub payment: Option<usize>,
    /// The company that moved the money.
    pub provider: Option<String>,
    /// The company's identifier of the transaction.
    pub provider_ref: Option<String>,
    /// For people.
    pub reason: Option<String>,
    /// When the money moved.
    pub occurred_at: Timestamp,
    /// When it stopped counting.
    pub reversed_at: Option<Timestamp>,
}

impl PastTransaction {
    /// Whether its amount, credit and goods count or are reserved.
    pub fn stands(&self) -> bool {
        matches!(self.status, TransactionStatus::Pending | TransactionStatus::Succeeded)
    }
}

impl History {
    /// Whether the order was ever placed. Then it has a number and counts in figures.
    pub fn was_placed(&self) -> bool {
        self.status != OrderStatus::Draft && !self.cancelled_as_draft
    }

    /// The times of an order that is imported at `now`. A time that the status needs and that is not known is the one
    /// before it.
    pub fn times(&self, now: Timestamp) -> Times {
        let needs = |statuses: &[OrderStatus]| statuses.contains(&self.status);
        let placed_at = self.was_placed().then(|| self.times.placed_at.unwrap_or(now));
        let before = placed_at.unwrap_or(now);
        let is_confirmed = needs(&[OrderStatus::Confirmed, OrderStatus::Fulfilled]);
        let confirmed_at = self.times.confirmed_at.or(is_confirmed.then_some(before));
        let before = confirmed_at.unwrap_or(before);
        let fulfilled_at = needs(&[OrderStatus::Fulfilled]).then(|| self.times.fulfilled_at.unwrap_or(before));
        let cancelled_at = needs(&[OrderStatus::Cancelled]).then(|| self.times.cancelled_at.unwrap_or(before));
        Times { placed_at, confirmed_at, fulfilled_at, cancelled_at }
    }

    /// Every rule that the history breaks if it is imported at `now`.
    pub fn faults(&self, now: Timestamp) -> Vec<Fault> {
        let mut faults = self.faults_of_times(now);
        if self.number.is_some() && !self.was_placed() {
            let detail = "must not be sent: an order that was never placed has no number";
            faults.push(Fault::new(Field::Number, "unexpected", detail));
        }
        if self.cancel_reason.is_some() && self.status != OrderStatus::Cancelled {
            faults.push(unexpected(Field::CancelReason, self.status));
        }
        for (index, transaction) in self.transactions.iter().enumerate() {
            transaction.add_faults(now, |field, code, detail| {
                faults.push(Fault::new(Field::Transaction(index, field), code, detail));
            });
        }
        faults
    }

    fn faults_of_times(&self, now: Timestamp) -> Vec<Fault> {
        use OrderStatus::{Cancelled, Confirmed, Draft, Fulfilled, Pending};
        let Times { placed_at, confirmed_at, fulfilled_at, cancelled_at } = self.times;
        let steps: [(Field, Option<Timestamp>, &[OrderStatus]); 4] = [
            (Field::PlacedAt, placed_at, &[Pending, Confirmed, Fulfilled, Cancelled]),
            (Field::ConfirmedAt, confirmed_at, &[Confirmed, Fulfilled, Cancelled]),
            (Field::FulfilledAt, fulfilled_at, &[Fulfilled]),
            (Field::CancelledAt, cancelled_at, &[Cancelled]),
        ];
        debug_assert!(steps.iter().all(|(.., statuses)| !statuses.contains(&Draft)), "a draft has no times");
        let (mut faults, mut before): (_, Option<Timestamp>) = (vec![], None);
        for (field, at, statuses) in steps {
            let Some(at) = at else { continue };
            let is_cancelled_draft = self.cancelled_as_draft && field != Field::CancelledAt;
            if !statuses.contains(&self.status) || is_cancelled_draft {
                faults.push(unexpected(field, self.status));
            } else if !(EARLIEST..=now).contains(&at) {
                faults.push(Fault::new(field, "out_of_range", PAST));
            } else if let Some(before) = before.filter(|before| at < *before) {
                let detail = format!("must be {before} or later: the times of an order ascend");
                faults.push(Fault::new(field, "out_of_range", detail));
            } else {
                before = Some(at);
            }
        }
        let later = confirmed_at.or(fulfilled_at).or(cancelled_at);
        if placed_at.is_none() && later.is_some() && self.was_placed() {
            faults.push(Fault::new(Field::PlacedAt, "required", "is required with a later time"));
        }
        faults
    }
}

/// To follow the name of a time that is out of range.
const PAST: &str = "must be from 2000-01-01T00:00:00Z to the present";

fn unexpected(field: Field, status: OrderStatus) -> Fault {
    Fault::new(field, "unexpected", format!("must not be sent with an order that is {status}"))
}

impl PastTransaction {
    fn add_faults(&self, now: Timestamp, mut add: impl FnMut(TransactionField, &'static str, String)) {
        if !(EARLIEST..=now).contains(&self.occurred_at) {
            add(TransactionField::OccurredAt, "out_of_range", PAST.to_owned());
        }
        match self.reversed_at {
            Some(_) if self.status != TransactionStatus::Reversed => {
                let detail = format!("must not be sent with a transaction that is {}", self.status);
                add(TransactionField::ReversedAt, "unexpected", detail);
            }
            Some(at) if !(self.occurred_at..=now).contains(&at) => {
                let detail = format!("must be from {} to the present", self.occurred_at);
                add(TransactionField::ReversedAt, "out_of_range", detail);
            }
            _ => {}
        }
        if self.kind == Kind::Payment {
            let of_refunds = [
                (TransactionField::CreditAmount, self.credit_amount.is_some_and(|credit| credit > 0)),
                (TransactionField::Items, !self.returns.is_empty()),
                (TransactionField::PaymentId, self.payment.is_some()),
            ];
            for (field, _) in of_refunds.into_iter().filter(|(_, is_sent)| *is_sent) {
                add(field, "unexpected", "must not be sent with a payment".to_owned());
            }
            if self.amount == 0 {
                add(TransactionField::Amount, "too_small", "must be at least 1".to_owned());
            }
        }
    }
}
