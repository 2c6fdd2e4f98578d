//! Payments and refunds: what they are, how their status may change, and what an order's money adds up to.

use super::{
    id::{ItemId, OrderId, TransactionId},
    money::Currency,
    pricing::TaxLine,
    string_enum::string_enum,
    time::Timestamp,
};

/// Which way the money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From the customer.
    Payment,
    /// To the customer.
    Refund,
}

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Announced; counts against what can be refunded, but in no figure.
    Pending,
    /// The money has moved.
    Succeeded,
    /// The money has not moved. Final.
    Failed,
    /// Withdrawn before it moved. Final.
    Voided,
    /// Taken back after it had succeeded, because it was booked by mistake. Final.
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

/// A payment or refund as it is recorded.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Its identifier.
    pub id: TransactionId,
    /// The order that it belongs to.
    pub order_id: OrderId,
    /// Which way the money goes.
    pub kind: Kind,
    /// Where it stands.
    pub status: TransactionStatus,
    /// Minor units, > 0; of a refund that credits something also 0.
    pub amount: i64,
    /// How much less the order owes because of a refund, by rate.
    pub credit_taxes: Vec<TaxLine>,
    /// The goods that came back with a refund.
    pub items: Vec<ReturnedItem>,
    /// The order's.
    pub currency: Currency,
    /// Who moves the money, such as `stripe`.
    pub provider: Option<String>,
    /// The provider's own identifier; unique with provider and kind.
    pub provider_ref: Option<String>,
    /// For a refund: the payment that it gives back.
    pub payment_id: Option<TransactionId>,
    /// Why, for people.
    pub reason: Option<String>,
    /// When the money moved, according to whoever recorded it.
    pub occurred_at: Timestamp,
    /// When it was recorded here.
    pub recorded_at: Timestamp,
    /// When it was taken back.
    pub reversed_at: Option<Timestamp>,
}

/// Goods that came back with a refund, and their part of its credit. Amounts are minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ReturnedItem {
    pub item_id: ItemId,
    pub quantity: i64,
    pub credit_amount: i64,
    pub credit_tax_amount: i64,
}

impl Transaction {
    /// How much less the order owes because of it, in minor units.
    pub fn credit_amount(&self) -> i64 {
        self.credit_taxes.iter().map(TaxLine::total).sum()
    }

    /// Tax in the credit, in minor units.
    pub fn credit_tax_amount(&self) -> i64 {
        self.credit_taxes.iter().map(|line| line.tax_amount).sum()
    }
}

/// Sums over transactions, of an order or of one payment, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Succeeded payments.
    pub paid: i64,
    /// Succeeded refunds.
    pub refunded: i64,
    /// Pending refunds.
    pub pending_refunds: i64,
}

impl Held {
    /// What can still be refunded.
    pub fn refundable(self) -> i64 {
        self.paid - self.refunded - self.pending_refunds
    }
}

/// How the payments of an order stand, derived from three sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PaymentStatus {
    /// Nothing was paid.
    Unpaid,
    /// Less than the total was paid.
    PartiallyPaid,
    /// Exactly the total was paid.
    Paid,
    /// More than the total was paid.
    Overpaid,
    /// Some of what was paid was refunded.
    PartiallyRefunded,
    /// All of what was paid was refunded.
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
