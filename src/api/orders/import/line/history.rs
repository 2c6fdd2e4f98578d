//! The members of a line that tell what happened to the order before.

use crate::{
    api::input::{integer::Amount, parsed::Parsed, schema::MAX_FAULTS},
    domain::{
        credit::Return,
        history::{History, PastTransaction, Times},
        order::OrderStatus,
        time::Timestamp,
        transaction::{Kind, TransactionStatus},
    },
    error::{Fault, Field},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::HashSet;

/// Members of a transaction that the server makes.
pub(super) const MADE_OF_TRANSACTIONS: [&str; 8] =
    ["id", "order_id", "order_number", "credit_tax_amount", "credit_taxes", "currency", "recorded_at", "order"];

/// What happened to an order before it was imported.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryBody {
    /// The number of the order.
    #[schemars(range(min = 1, max = 999_999_999_999_i64))]
    number: Option<i64>,
    /// The present status; `pending` if left out.
    status: Option<Parsed<OrderStatus>>,
    /// When it was placed.
    placed_at: Option<Parsed<Timestamp>>,
    /// When it was confirmed.
    confirmed_at: Option<Parsed<Timestamp>>,
    /// When it was fulfilled.
    fulfilled_at: Option<Parsed<Timestamp>>,
    /// When it was cancelled.
    cancelled_at: Option<Parsed<Timestamp>>,
    /// Why it was cancelled.
    #[schemars(length(max = 1000))]
    cancel_reason: Option<String>,
    /// Its payments and refunds, oldest first.
    #[schemars(length(max = 1000))]
    transactions: Option<Vec<TransactionBody>>,
    /// What the order has to come to.
    total_amount: Option<Amount>,
    /// The tax that the order has to come to.
    tax_amount: Option<Amount>,
}

/// A payment or refund of the past.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PastTransaction")]
struct TransactionBody {
    /// Payment or refund.
    kind: Parsed<Kind>,
    /// The present status; `succeeded` if left out.
    status: Option<Parsed<TransactionStatus>>,
    /// The amount, in minor units.
    amount: Amount,
    /// For a refund: how much less the order owes; computed if left out.
    credit_amount: Option<Amount>,
    /// For a refund: the goods that came back.
    #[schemars(length(min = 1, max = 500))]
    items: Option<Vec<ReturnBody>>,
    /// For a refund: the `id` of an earlier payment of this line.
    #[schemars(length(min = 1, max = 255))]
    payment_id: Option<String>,
    /// The payment provider.
    #[schemars(length(min = 1, max = 64))]
    provider: Option<String>,
    /// The provider's own identifier.
    #[schemars(length(min = 1, max = 255))]
    provider_ref: Option<String>,
    /// The reason.
    #[schemars(length(max = 1000))]
    reason: Option<String>,
    /// When the money moved.
    occurred_at: Parsed<Timestamp>,
    /// When it stopped counting.
    reversed_at: Option<Parsed<Timestamp>>,
}

/// Goods that came back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PastReturn")]
struct ReturnBody {
    /// The `id` of an item of this line.
    #[schemars(length(min = 1, max = 255))]
    item_id: String,
    /// How many came back.
    #[schemars(range(min = 1, max = 1_000_000))]
    quantity: i64,
}

impl HistoryBody {
    /// The totals that the line names, each with its field.
    pub(super) fn totals(&self) -> [(Field, Option<i64>); 2] {
        [(Field::TotalAmount, self.total_amount), (Field::TaxAmount, self.tax_amount)]
            .map(|(field, amount)| (field, amount.map(Amount::get)))
    }

    /// The history, with the references to items and payments resolved; none if the line has no history. What cannot be
    /// is added to `faults`.
    pub(super) fn into_history(self, line: &Context<'_>, faults: &mut Vec<Fault>) -> Option<History> {
        let times = Times {
            placed_at: self.placed_at.map(|at| at.0),
            confirmed_at: self.confirmed_at.map(|at| at.0),
            fulfilled_at: self.fulfilled_at.map(|at| at.0),
            cancelled_at: self.cancelled_at.map(|at| at.0),
        };
        let is_new = (self.number, self.status, times) == (None, None, Times::default());
        if is_new && self.cancel_reason.is_none() && self.transactions.is_none() {
            return None;
        }
        let status = match (self.status, line.draft) {
            (Some(Parsed(status)), draft) => {
                if draft.is_some_and(|draft| draft != (status == OrderStatus::Draft)) {
                    faults.push(Fault::body("#/draft", "conflict", format!("does not fit the status {status}")));
                }
                status
            }
            (None, Some(true)) => OrderStatus::Draft,
            (None, _) => OrderStatus::Pending,
        };
        line.add_repeated_identifiers(faults);
        let mut transactions = vec![];
        for (index, body) in self.transactions.into_iter().flatten().enumerate() {
            let transaction = body.into_past(line, index, &transactions, faults);
            transactions.push(transaction);
        }
        let history = History {
            number: self.number,
            status,
            times,
            cancelled_as_draft: line.was_never_placed && status == OrderStatus::Cancelled,
            cancel_reason: self.cancel_reason,
            transactions,
        };
        faults.extend(history.faults(line.now));
        faults.truncate(MAX_FAULTS);
        Some(history)
    }
}

impl TransactionBody {
    /// The transaction at `index`. Those in `earlier` come before it.
    fn into_past(
        self,
        line: &Context<'_>,
        index: usize,
        earlier: &[PastTransaction],
        faults: &mut Vec<Fault>,
    ) -> PastTransaction {
        let mut unknown = |name: String, detail| {
            faults.push(Fault::body(format!("#/transactions/{index}/{name}"), "unknown", detail));
        };
        let mut returns = vec![];
        for (part, ReturnBody { item_id, quantity }) in self.items.into_iter().flatten().enumerate() {
            match position(line.items, &item_id) {
                Some(line) => returns.push(Return { line, quantity }),
                None => unknown(format!("items/{part}/item_id"), "must be the id of an item of this line"),
            }
        }
        let is_payment = |at: &usize| earlier.get(*at).is_some_and(|earlier| earlier.kind == Kind::Payment);
        let payment = self.payment_id.and_then(|id| {
            let found = position(line.transactions, &id).filter(is_payment);
            if found.is_none() {
                unknown("payment_id".to_owned(), "must be the id of a payment that this line lists before");
            }
            found
        });
        PastTransaction {
            kind: self.kind.0,
            status: self.status.map_or(TransactionStatus::Succeeded, |status| status.0),
            amount: self.amount.get(),
            credit_amount: self.credit_amount.map(Amount::get),
            returns,
            payment,
            provider: self.provider,
            provider_ref: self.provider_ref,
            reason: self.reason,
            occurred_at: self.occurred_at.0,
            reversed_at: self.reversed_at.map(|at| at.0),
        }
    }
}

/// What the rest of the line says.
pub(super) struct Context<'l> {
    /// The identifiers that the line gives its items.
    pub(super) items: &'l [Option<String>],
    /// The identifiers that the line gives its transactions.
    pub(super) transactions: &'l [Option<String>],
    /// Whether the line says that it is a draft.
    pub(super) draft: Option<bool>,
    /// Whether the line says that the order was never placed.
    pub(super) was_never_placed: bool,
    /// The time of the import.
    pub(super) now: Timestamp,
}

impl Context<'_> {
    fn add_repeated_identifiers(&self, faults: &mut Vec<Fault>) {
        for (list, ids) in [("items", self.items), ("transactions", self.transactions)] {
            let mut known = HashSet::new();
            for (index, id) in ids.iter().enumerate() {
                if id.as_ref().is_some_and(|id| !known.insert(id)) {
                    let pointer = format!("#/{list}/{index}/id");
                    faults.push(Fault::body(pointer, "duplicate", "must differ from the others of this line"));
                }
            }
        }
    }
}

fn position(ids: &[Option<String>], id: &str) -> Option<usize> {
    ids.iter().position(|found| found.as_deref() == Some(id))
}
