//! Payments and refunds: their statuses, the amount that can be refunded, and the payment status of an order.

use super::{
    id::{OrderId, TransactionId},
    money::Currency,
    string_enum::string_enum,
    time::Timestamp,
};

/// Payment or refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Money from the customer.
    Payment,
    /// Money to the customer.
    Refund,
}

/// The status of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Announced. A pending refund reduces the refundable amount. Not in reports.
    Pending,
    /// The money has moved. Final.
    Succeeded,
    /// The money has not moved. Final.
    Failed,
    /// Withdrawn before the money moved. Final.
    Voided,
}

string_enum!(Kind { Payment "payment", Refund "refund" });
string_enum!(TransactionStatus { Pending "pending", Succeeded "succeeded", Failed "failed", Voided "voided" });

/// A recorded payment or refund.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it where there is no comment")]
pub struct Transaction {
    pub id: TransactionId,
    pub order_id: OrderId,
    pub kind: Kind,
    pub status: TransactionStatus,
    /// Minor units, more than 0.
    pub amount: i64,
    /// The currency of the order.
    pub currency: Currency,
    /// The company that moves the money, such as `stripe`.
    pub provider: Option<String>,
    /// The provider's identifier of the transaction. Unique together with provider and kind.
    pub provider_ref: Option<String>,
    /// For a refund: the payment that it refunds.
    pub payment_id: Option<TransactionId>,
    /// For people.
    pub reason: Option<String>,
    /// When the money moved, according to the caller.
    pub occurred_at: Timestamp,
    /// When the transaction was recorded here.
    pub recorded_at: Timestamp,
}

/// Sums over the transactions of an order, or of one payment and its refunds, in minor units.
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
    /// The amount that can still be refunded.
    pub fn refundable(self) -> i64 {
        self.paid - self.refunded - self.pending_refunds
    }
}

/// The payment status of an order, derived from its total, payments and refunds.
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
    /// A part of the payments was refunded.
    PartiallyRefunded,
    /// All payments were refunded.
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

impl PaymentStatus {
    /// The first status whose condition holds. An order with a total of 0 is paid.
    pub fn derive(total: i64, paid: i64, refunded: i64) -> Self {
        if refunded == paid && paid > 0 {
            Self::Refunded
        } else if refunded > 0 {
            Self::PartiallyRefunded
        } else if paid > total {
            Self::Overpaid
        } else if paid == total {
            Self::Paid
        } else if paid > 0 {
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
    fn the_first_rule_that_holds_decides_the_payment_status() {
        use PaymentStatus::*;
        for (total, paid, refunded, status) in [
            (100, 0, 0, Unpaid),
            (100, 1, 0, PartiallyPaid),
            (100, 100, 0, Paid),
            (100, 101, 0, Overpaid),
            (100, 101, 1, PartiallyRefunded),
            (100, 100, 100, Refunded),
            (100, 30, 30, Refunded),
            (0, 0, 0, Paid),
            (0, 5, 0, Overpaid),
        ] {
            assert_eq!(PaymentStatus::derive(total, paid, refunded), status, "{total} {paid} {refunded}");
        }
    }

    proptest! {
        #[test]
        fn the_payment_status_fits_the_sums(total in 0_i64..50, paid in 0_i64..60, share in 0_i64..=60) {
            use PaymentStatus::*;
            let refunded = share.min(paid);
            let status = PaymentStatus::derive(total, paid, refunded);
            prop_assert_eq!(status == Refunded, paid > 0 && refunded == paid);
            prop_assert_eq!(status == PartiallyRefunded, 0 < refunded && refunded < paid);
            prop_assert_eq!(status == Overpaid, refunded == 0 && paid > total);
            prop_assert_eq!(status == Paid, refunded == 0 && paid == total);
            prop_assert_eq!(status == PartiallyPaid, refunded == 0 && 0 < paid && paid < total);
            prop_assert_eq!(status == Unpaid, paid == 0 && total > 0);
        }

        #[test]
        fn the_refundable_amount_can_be_refunded_and_no_more(paid in 0_i64..1000, parts in prop::collection::vec(1_i64..400, 0..8)) {
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
