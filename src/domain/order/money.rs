//! An order's sums of payments, refunds and credits, kept in step with its transactions.

use super::{NetAndTax, Order};
use crate::domain::{
    money::{MAX_AMOUNT, amount},
    transaction::{Kind, Transaction, TransactionStatus},
};

/// The payments of an order would leave the range of exact integers; the largest payment that would not, in minor
/// units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMuchPaid(pub i64);

/// How a refund counts: its credit and goods are credited, or only reserved until it succeeds.
#[derive(Clone, Copy)]
enum Credit {
    Done,
    Reserved,
}

impl Order {
    /// Takes a transaction over into the sums, in place of `before` if it was recorded already.
    ///
    /// # Errors
    /// [`TooMuchPaid`]; then the order is as it was.
    pub fn put_transaction(&mut self, before: Option<&Transaction>, after: &Transaction) -> Result<(), TooMuchPaid> {
        let paid_before = before.map_or(0, paid);
        let others = i128::from(self.paid_amount) - i128::from(paid_before);
        if amount(others + i128::from(paid(after))).is_none() {
            return Err(TooMuchPaid(MAX_AMOUNT - (self.paid_amount - paid_before)));
        }
        if let Some(before) = before {
            self.count(before, -1);
        }
        self.count(after, 1);
        self.update_payment_status();
        Ok(())
    }

    /// Adds what a transaction counts for; −1 takes it away again.
    fn count(&mut self, transaction: &Transaction, times: i64) {
        match (transaction.kind, transaction.status) {
            (Kind::Payment, TransactionStatus::Succeeded) => self.paid_amount += times * transaction.amount,
            (Kind::Refund, TransactionStatus::Succeeded) => {
                self.refunded_amount += times * transaction.amount;
                self.credited_amount += times * transaction.credit_amount();
                self.credited_tax_amount += times * transaction.credit_tax_amount();
                self.credit(transaction, Credit::Done, times);
            }
            (Kind::Refund, TransactionStatus::Pending) => self.credit(transaction, Credit::Reserved, times),
            _ => {}
        }
    }

    fn credit(&mut self, refund: &Transaction, credit: Credit, times: i64) {
        for line in &refund.credit_taxes {
            let Some(tax) = self.taxes.iter_mut().find(|tax| tax.rate() == line.rate) else { continue };
            let NetAndTax { net_amount, tax_amount } = match credit {
                Credit::Done => &mut tax.credited,
                Credit::Reserved => &mut tax.reserved,
            };
            *net_amount += times * line.net_amount;
            *tax_amount += times * line.tax_amount;
        }
        for returned in &refund.items {
            let Some(item) = self.items.iter_mut().find(|item| item.id == returned.item_id) else { continue };
            match credit {
                Credit::Done => item.returns.quantity += times * returned.quantity,
                Credit::Reserved => item.returns.reserved_quantity += times * returned.quantity,
            }
            item.returns.credited_amount += times * returned.credit_amount;
            item.returns.credited_tax_amount += times * returned.credit_tax_amount;
        }
    }
}

fn paid(transaction: &Transaction) -> i64 {
    match (transaction.kind, transaction.status) {
        (Kind::Payment, TransactionStatus::Succeeded) => transaction.amount,
        _ => 0,
    }
}
