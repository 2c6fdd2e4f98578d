//! Payments and refunds over HTTP.

use super::{
    input::{
        extract::{PathId, Valid},
        integer::PositiveAmount,
        list::ListRequest,
        parsed::{InitialStatus, Parsed},
    },
    output::{csv_rows::TransactionRow, list, reply},
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        id::{OrderId, TransactionId},
        time::Timestamp,
        transaction::{Kind, TransactionStatus},
    },
    error::{Error, Fault, Result},
    service::{
        idempotency::Effect,
        transactions::{self, NewTransaction, Resolution},
    },
};
use axum::{extract::State, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// The earliest instant at which money can have moved: 2000-01-01T00:00:00Z.
const EARLIEST: Timestamp = Timestamp::from_millis(946_684_800_000);
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
    /// The payment that is refunded, if it is a particular one.
    payment_id: Option<Parsed<TransactionId>>,
    /// The reason.
    #[schemars(length(max = 1000))]
    reason: Option<String>,
    /// When the money moved, from 2000-01-01 to 24 hours ahead; the present if left out.
    occurred_at: Option<Parsed<Timestamp>>,
}

/// The outcome of a pending transaction.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"status": "succeeded"}))]
pub(super) struct ResolveTransaction {
    /// The new status.
    status: Parsed<TransactionStatus>,
    /// When the money moved, from 2000-01-01 to 24 hours ahead.
    occurred_at: Option<Parsed<Timestamp>>,
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
        amount: body.amount.get(),
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
        amount: body.amount.get(),
        provider: body.provider,
        provider_ref: body.provider_ref,
        payment_id: body.payment_id.map(|id| id.0),
        reason: body.reason,
        occurred_at: plausible(app.clock.now(), body.occurred_at)?,
    };
    transactions::record(&app, actor, request, id, new).await
}

/// Resolves a pending payment or refund.
pub(super) async fn resolve(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<TransactionId>,
    Valid { body, request }: Valid<ResolveTransaction>,
) -> Result<Effect> {
    let occurred_at = plausible(app.clock.now(), body.occurred_at)?;
    transactions::resolve(&app, actor, request, id, Resolution { status: body.status.0, occurred_at }).await
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
    list::answer(app, actor, options, format!("transactions.list {id}"), find).await
}

/// Reads a payment or refund.
pub(super) async fn get(State(app): State<App>, actor: Actor, PathId(id): PathId<TransactionId>) -> Result<Response> {
    transactions::get(&app, &actor, id).await.map(reply::json)
}
