//! Payments and refunds: what they are, how their status may change, and what an order's payments add up to.

use super::{
    id::{ItemId, OrderId, TransactionId, UserId},
    money::Currency,
    personal::PersonalRow,
    pricing::TaxLine,
    string_enum::string_enum,
    time::Timestamp,
};

/// The direction in which money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Money from the customer.
    Payment,
    /// Money to the customer.
    Refund,
}

/// The status of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionStatus {
    /// The money will move. A pending refund reserves money, credit and goods; no figure counts it.
    Pending,
    /// The money moved.
    Succeeded,
    /// The money did not move. Final.
    Failed,
    /// Withdrawn before the money moved. Final.
    Voided,
    /// It succeeded, but was recorded by mistake. Final.
    Reversed,
}

string_enum!(Kind { Payment "payment", Refund "refund" });
string_enum!(TransactionStatus {
    Pending "pending",
    Succeeded "succeeded",
    Failed "failed",
    Voided "voided",
    Reversed "reversed",
});

impl TransactionStatus {
    /// The statuses that can follow this one.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Pending => &[Self::Succeeded, Self::Failed, Self::Voided],
            Self::Succeeded => &[Self::Reversed],
            Self::Failed | Self::Voided | Self::Reversed => &[],
        }
    }
}

/// A filter of transactions. A transaction passes if it meets every condition; an empty or absent condition is met by
/// all.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it where there is no comment")]
pub struct TransactionFilter {
    pub kind: Option<Kind>,
    /// Its status is one of these.
    pub statuses: Vec<TransactionStatus>,
    pub provider: Option<String>,
    pub provider_ref: Option<String>,
    pub order_id: Option<OrderId>,
    pub currency: Option<Currency>,
    /// Its amount is at least this, in minor units.
    pub amount_min: Option<i64>,
    /// Its amount is at most this, in minor units.
    pub amount_max: Option<i64>,
    /// The money moved at this time or later.
    pub occurred_from: Option<Timestamp>,
    /// The money moved before this time.
    pub occurred_to: Option<Timestamp>,
    /// For a caller who may see only their own orders: its order belongs to this user. `Some(None)` is a caller who is
    /// no user and sees nothing.
    pub visible_to: Option<Option<UserId>>,
}

/// A stored payment or refund. Amounts are minor units.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it where there is no comment")]
pub struct Transaction {
    pub id: TransactionId,
    pub order_id: OrderId,
    pub order_number: Option<i64>,
    pub kind: Kind,
    pub status: TransactionStatus,
    /// Money that moves. 0 only for a refund that credits without paying anything back.
    pub amount: i64,
    /// For a refund: how much less the order owes, by rate in the order of the order's taxes.
    pub credit_taxes: Vec<TaxLine>,
    /// For a refund: the goods that came back.
    pub items: Vec<ReturnedItem>,
    /// The order's.
    pub currency: Currency,
    /// The company that moves the money, such as `stripe`.
    pub provider: Option<String>,
    /// The provider's identifier of the transaction.
    pub provider_ref: Option<String>,
    /// For a refund: the payment that it refunds.
    pub payment_id: Option<TransactionId>,
    /// For people.
    pub reason: Option<String>,
    /// When the money moved, according to the caller.
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    /// When the transaction stopped counting, if it was reversed.
    pub reversed_at: Option<Timestamp>,
    /// Where the reason is kept apart.
    pub personal: Option<PersonalRow>,
}

/// Goods of a line that came back with a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnedItem {
    /// The line.
    pub item_id: ItemId,
    /// At least 1.
    pub quantity: i64,
    /// The part of the refund's credit that is for these goods.
    pub credit_amount: i64,
    /// Tax in that part.
    pub credit_tax_amount: i64,
}

impl Transaction {
    /// How much less the order owes.
    pub fn credit_amount(&self) -> i64 {
        self.credit_taxes.iter().map(TaxLine::total).sum()
    }

    /// Tax in the credit.
    pub fn credit_tax_amount(&self) -> i64 {
        self.credit_taxes.iter().map(|line| line.tax_amount).sum()
    }

    /// The refund without its credit. The goods still come back.
    #[must_use]
    pub fn without_credit(&self) -> Self {
        let uncredited = |item: &ReturnedItem| ReturnedItem { credit_amount: 0, credit_tax_amount: 0, ..*item };
        Self { credit_taxes: vec![], items: self.items.iter().map(uncredited).collect(), ..self.clone() }
    }
}

/// Sums over the transactions of an order, or over a payment and its refunds, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The sum of succeeded payments.
    pub paid: i64,
    /// The sum of succeeded refunds.
    pub refunded: i64,
    /// The sum of pending refunds.
    pub pending_refunds: i64,
}

impl Held {
    /// Adds the sums of another transaction.
    pub fn add(&mut self, other: Self) {
        self.paid += other.paid;
        self.refunded += other.refunded;
        self.pending_refunds += other.pending_refunds;
    }

    /// The amount that can still be refunded.
    pub fn refundable(self) -> i64 {
        self.paid - self.refunded - self.pending_refunds
    }
}

/// How the payments of an order stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PaymentStatus {
    /// No money is held, and some is owed.
    Unpaid,
    /// Less is held than is owed.
    PartiallyPaid,
    /// As much is held as is owed.
    Paid,
    /// More is held than is owed.
    Overpaid,
    /// As much is held as is owed, after refunds that credited something.
    PartiallyRefunded,
    /// All that was paid was refunded.
    Refunded,
}

string_enum!(PaymentStatus {
    Unpaid "unpaid",
    PartiallyPaid "partially_paid",
    Paid "paid",
    Overpaid "overpaid",
    PartiallyRefunded "partially_refunded",
    Refunded "refunded",
});

/// The sums that decide how the payments of an order stand, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaymentSums {
    /// What the order comes to.
    pub total: i64,
    /// Succeeded payments.
    pub paid: i64,
    /// Succeeded refunds.
    pub refunded: i64,
    /// Credits of succeeded refunds.
    pub credited: i64,
}

impl PaymentStatus {
    /// The first status that holds, in the order of the contract. An order that costs nothing is paid.
    pub fn derive(sums: &PaymentSums) -> Self {
        let (held, owed) = (sums.paid - sums.refunded, sums.total - sums.credited);
        if sums.paid > 0 && held == 0 {
            Self::Refunded
        } else if held > owed {
            Self::Overpaid
        } else if held == owed && sums.refunded > 0 && sums.credited > 0 {
            Self::PartiallyRefunded
        } else if held == owed {
            Self::Paid
        } else if held > 0 {
            Self::PartiallyPaid
        } else {
            Self::Unpaid
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn payment_status_is_the_first_rule_that_holds() {
        use PaymentStatus::{Overpaid, Paid, PartiallyPaid, PartiallyRefunded, Refunded, Unpaid};
        for (total, paid, refunded, credited, status) in [
            (100, 0, 0, 0, Unpaid),
            (100, 1, 0, 0, PartiallyPaid),
            (100, 100, 0, 0, Paid),
            (100, 101, 0, 0, Overpaid),
            (100, 101, 1, 0, Paid),
            (100, 100, 30, 30, PartiallyRefunded),
            (100, 100, 30, 0, PartiallyPaid),
            (100, 100, 30, 40, Overpaid),
            (100, 100, 100, 100, Refunded),
            (100, 30, 30, 0, Refunded),
            (100, 0, 0, 100, Paid),
            (100, 60, 0, 40, Paid),
            (0, 0, 0, 0, Paid),
            (0, 5, 0, 0, Overpaid),
        ] {
            let sums = PaymentSums { total, paid, refunded, credited };
            assert_eq!(PaymentStatus::derive(&sums), status, "{sums:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_refundable_can_be_refunded_and_no_more(paid in 0_i64..1000, parts in prop::collection::vec(1_i64..400, 0..8)) {
            let mut held = Held { paid, ..Held::default() };
            for (i, part) in parts.into_iter().enumerate() {
                if part <= held.refundable() {
                    if i % 2 == 0 { held.refunded += part } else { held.pending_refunds += part }
                }
            }
            prop_assert!((0..=paid).contains(&held.refundable()));
            prop_assert_eq!(held.refundable(), paid - held.refunded - held.pending_refunds);
        }
    }
}
