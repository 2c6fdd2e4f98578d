//! Payments and refunds over HTTP.

mod list;

pub(super) use list::{ListTransactions, list};

use super::{
    input::{
        extract::{PathId, Valid},
        integer::{Amount, PositiveAmount},
        list::ListRequest,
        parsed::{InitialStatus, Parsed},
    },
    output::{self, csv_rows::TransactionRow, reply},
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        history::EARLIEST,
        id::{ItemId, OrderId, TransactionId},
        time::Timestamp,
        transaction::{Kind, TransactionStatus},
    },
    error::{Error, Fault, Result},
    service::{
        idempotency::Effect,
        transactions::{self, NewReturn, NewTransaction, Resolution},
    },
};
use axum::{extract::State, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How far ahead of the present a movement of money may be dated.
const AHEAD: Duration = Duration::from_hours(24);

/// A payment to record.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"amount": 2722, "provider": "stripe", "provider_ref": "pi_3PqL"}))]
pub(super) struct CreatePayment {
    /// The amount, in minor units of the order's currency.
    amount: PositiveAmount,
    /// `succeeded` if left out.
    status: Option<Parsed<InitialStatus>>,
    /// The payment provider.
    #[schemars(length(min = 1, max = 64))]
    provider: Option<String>,
    /// The provider's own identifier, unique with the provider.
    #[schemars(length(min = 1, max = 255))]
    provider_ref: Option<String>,
    /// The reason.
    #[schemars(length(max = 1000))]
    reason: Option<String>,
    /// When the money moved, from 2000-01-01 to 24 hours ahead; the present if left out.
    occurred_at: Option<Parsed<Timestamp>>,
}

/// A refund to record.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"amount": 500, "reason": "One item was damaged"}))]
pub(super) struct CreateRefund {
    /// Money that goes back, in minor units of the order's currency. May be left out with `items`: then it is their
    /// credit, at most what can be refunded. 0 for a credit without money.
    amount: Option<Amount>,
    /// How much less the order owes, in minor units. If left out: the total of `items`, or without them the amount less
    /// what was overpaid; at most what is left to credit. 0 if the money is still owed, as after a chargeback.
    credit_amount: Option<Amount>,
    /// Goods that came back.
    #[schemars(length(min = 1, max = 500))]
    items: Option<Vec<ReturnBody>>,
    /// `succeeded` if left out.
    status: Option<Parsed<InitialStatus>>,
    /// The payment provider.
    #[schemars(length(min = 1, max = 64))]
    provider: Option<String>,
    /// The provider's own identifier, unique with the provider.
    #[schemars(length(min = 1, max = 255))]
    provider_ref: Option<String>,
    /// The payment that is refunded, if it is a particular one.
    payment_id: Option<Parsed<TransactionId>>,
    /// The reason.
    #[schemars(length(max = 1000))]
    reason: Option<String>,
    /// When the money moved, from 2000-01-01 to 24 hours ahead; the present if left out.
    occurred_at: Option<Parsed<Timestamp>>,
}

/// Goods that came back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewReturn")]
pub(super) struct ReturnBody {
    /// The item.
    item_id: Parsed<ItemId>,
    /// How many came back.
    #[schemars(range(min = 1, max = 1_000_000))]
    quantity: i64,
}

/// The outcome of a pending transaction, or the reversal of one that succeeded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"status": "succeeded"}))]
pub(super) struct ResolveTransaction {
    /// The new status.
    status: Parsed<TransactionStatus>,
    /// The amount of a pending payment that succeeds for less, in minor units.
    amount: Option<PositiveAmount>,
    /// Replaces the reason.
    #[schemars(length(max = 1000))]
    reason: Option<String>,
    /// When the money moved, or when a reversed transaction stops counting; from 2000-01-01 to 24 hours ahead.
    occurred_at: Option<Parsed<Timestamp>>,
}

impl From<ReturnBody> for NewReturn {
    fn from(body: ReturnBody) -> Self {
        Self { item_id: body.item_id.0, quantity: body.quantity }
    }
}

/// The status that a transaction is recorded with, which is `succeeded` unless the body says otherwise.
fn initial(status: Option<Parsed<InitialStatus>>) -> TransactionStatus {
    status.map_or(TransactionStatus::Succeeded, |status| status.0.0)
}

/// Refuses an instant at which no money can have moved.
fn plausible(now: Timestamp, occurred_at: Option<Parsed<Timestamp>>) -> Result<Option<Timestamp>> {
    let Some(Parsed(instant)) = occurred_at else { return Ok(None) };
    if (EARLIEST..=now.plus(AHEAD)).contains(&instant) {
        return Ok(Some(instant));
    }
    let detail = "must be from 2000-01-01T00:00:00Z to 24 hours ahead";
    Err(Error::invalid(vec![Fault::body("#/occurred_at", "out_of_range", detail)]))
}

/// Records a payment.
pub(super) async fn pay(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    Valid { body, request }: Valid<CreatePayment>,
) -> Result<Effect> {
    let new = NewTransaction {
        kind: Kind::Payment,
        status: initial(body.status),
        amount: Some(body.amount.get()),
        credit_amount: None,
        returns: vec![],
        provider: body.provider,
        provider_ref: body.provider_ref,
        payment_id: None,
        reason: body.reason,
        occurred_at: plausible(app.clock.now(), body.occurred_at)?,
    };
    transactions::record(&app, actor, request, id, new).await
}

/// Records a refund.
pub(super) async fn refund(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    Valid { body, request }: Valid<CreateRefund>,
) -> Result<Effect> {
    let new = NewTransaction {
        kind: Kind::Refund,
        status: initial(body.status),
        amount: body.amount.map(Amount::get),
        credit_amount: body.credit_amount.map(Amount::get),
        returns: body.items.into_iter().flatten().map(NewReturn::from).collect(),
        provider: body.provider,
        provider_ref: body.provider_ref,
        payment_id: body.payment_id.map(|id| id.0),
        reason: body.reason,
        occurred_at: plausible(app.clock.now(), body.occurred_at)?,
    };
    transactions::record(&app, actor, request, id, new).await
}

/// Resolves a pending payment or refund, or reverses one that succeeded.
pub(super) async fn resolve(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<TransactionId>,
    Valid { body, request }: Valid<ResolveTransaction>,
) -> Result<Effect> {
    let resolution = Resolution {
        status: body.status.0,
        amount: body.amount.map(PositiveAmount::get),
        reason: body.reason,
        occurred_at: plausible(app.clock.now(), body.occurred_at)?,
    };
    transactions::resolve(&app, actor, request, id, resolution).await
}

/// Lists an order's payments and refunds, newest first.
pub(super) async fn of_order(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    ListRequest { options, .. }: ListRequest,
) -> Result<Response> {
    let find = move |app, actor, page| async move {
        Ok(transactions::of_order(&app, &actor, id, &page).await?.map(TransactionRow))
    };
    output::list::answer(app, actor, options, format!("orders.transactions {id}"), find).await
}

/// Reads a payment or refund.
pub(super) async fn get(State(app): State<App>, actor: Actor, PathId(id): PathId<TransactionId>) -> Result<Response> {
    transactions::get(&app, &actor, id).await.map(reply::json)
}
