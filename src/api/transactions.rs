//! Payments and refunds over HTTP.

use super::{
    input::extract::{Parameters, PathId, Valid},
    output::{
        export::{self, Begins, Format, ROWS_AT_ONCE},
        list::{self, Paging, Place},
        reply,
    },
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        id::{Identifier, OrderId, TransactionId},
        time::Timestamp,
        transaction::{Kind, TransactionStatus},
    },
    error::{Error, Fault, Result},
    service::{
        idempotency::Effect,
        page::Wanted,
        transactions::{self, NewTransaction, Resolution},
        views::TransactionView,
    },
};
use axum::{extract::State, http::Uri, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// The earliest instant at which money may have moved: 2000-01-01T00:00:00Z.
const EARLIEST: Timestamp = Timestamp::from_millis(946_684_800_000);
/// How far ahead of now money may move.
const AHEAD: Duration = Duration::from_hours(24);

/// A payment to record.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"amount": 2722, "provider": "stripe", "provider_ref": "pi_3PqL"}))]
pub(super) struct CreatePayment {
    /// Minor units of the order's currency.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_i64))]
    amount: i64,
    /// `succeeded` if left out.
    status: Option<InitialStatus>,
    /// Who moves the money.
    #[schemars(length(min = 1, max = 64))]
    provider: Option<String>,
    /// The provider's own identifier, unique with the provider.
    #[schemars(length(min = 1, max = 255))]
    provider_ref: Option<String>,
    /// Why.
    #[schemars(length(max = 1000))]
    reason: Option<String>,
    /// When the money moved, from 2000-01-01 to 24 hours ahead; now, if left out.
    #[schemars(extend("format" = "date-time"))]
    occurred_at: Option<String>,
}

/// A refund to record.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"amount": 500, "reason": "One item was damaged"}))]
pub(super) struct CreateRefund {
    /// Minor units of the order's currency.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_i64))]
    amount: i64,
    /// `succeeded` if left out.
    status: Option<InitialStatus>,
    /// Who moves the money.
    #[schemars(length(min = 1, max = 64))]
    provider: Option<String>,
    /// The provider's own identifier, unique with the provider.
    #[schemars(length(min = 1, max = 255))]
    provider_ref: Option<String>,
    /// The payment that is given back, if it is one in particular.
    #[schemars(regex(pattern = r"^txn_[0-7][0-9a-hjkmnp-tv-z]{25}$"))]
    payment_id: Option<String>,
    /// Why.
    #[schemars(length(max = 1000))]
    reason: Option<String>,
    /// When the money moved, from 2000-01-01 to 24 hours ahead; now, if left out.
    #[schemars(extend("format" = "date-time"))]
    occurred_at: Option<String>,
}

/// The status that a transaction is recorded with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum InitialStatus {
    Succeeded,
    Pending,
}

impl From<InitialStatus> for TransactionStatus {
    fn from(status: InitialStatus) -> Self {
        match status {
            InitialStatus::Succeeded => Self::Succeeded,
            InitialStatus::Pending => Self::Pending,
        }
    }
}

/// How a pending transaction ended.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"status": "succeeded"}))]
pub(super) struct ResolveTransaction {
    /// What became of it.
    status: FinalStatus,
    /// When the money moved, from 2000-01-01 to 24 hours ahead.
    #[schemars(extend("format" = "date-time"))]
    occurred_at: Option<String>,
}

/// The status that a transaction is brought to; `pending` changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FinalStatus {
    Pending,
    Succeeded,
    Failed,
    Voided,
}

impl From<FinalStatus> for TransactionStatus {
    fn from(status: FinalStatus) -> Self {
        match status {
            FinalStatus::Pending => Self::Pending,
            FinalStatus::Succeeded => Self::Succeeded,
            FinalStatus::Failed => Self::Failed,
            FinalStatus::Voided => Self::Voided,
        }
    }
}

/// An instant at which money may have moved.
fn moment(now: Timestamp, text: Option<&str>) -> Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    let latest = now.plus(AHEAD);
    let instant = Timestamp::parse(text).filter(|at| (EARLIEST..=latest).contains(at));
    instant.map(Some).ok_or_else(|| {
        let detail = "must be from 2000-01-01T00:00:00Z to 24 hours ahead";
        Error::invalid(vec![Fault::body("#/occurred_at", "out_of_range", detail)])
    })
}

/// Records a payment.
pub(super) async fn pay(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    Valid { body, attempt }: Valid<CreatePayment>,
) -> Result<Effect> {
    let new = NewTransaction {
        kind: Kind::Payment,
        status: body.status.map_or(TransactionStatus::Succeeded, Into::into),
        amount: body.amount,
        provider: body.provider,
        provider_ref: body.provider_ref,
        payment_id: None,
        reason: body.reason,
        occurred_at: moment(app.clock.now(), body.occurred_at.as_deref())?,
    };
    transactions::record(&app, actor, attempt, id, new).await
}

/// Records a refund.
pub(super) async fn refund(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    Valid { body, attempt }: Valid<CreateRefund>,
) -> Result<Effect> {
    let unknown = || {
        let detail = "must be a succeeded payment of this order";
        Error::invalid(vec![Fault::body("#/payment_id", "unknown", detail)])
    };
    let payment_id = body.payment_id.map(|text| TransactionId::parse(&text).ok_or_else(unknown)).transpose()?;
    let new = NewTransaction {
        kind: Kind::Refund,
        status: body.status.map_or(TransactionStatus::Succeeded, Into::into),
        amount: body.amount,
        provider: body.provider,
        provider_ref: body.provider_ref,
        payment_id,
        reason: body.reason,
        occurred_at: moment(app.clock.now(), body.occurred_at.as_deref())?,
    };
    transactions::record(&app, actor, attempt, id, new).await
}

/// Resolves a pending payment or refund.
pub(super) async fn resolve(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<TransactionId>,
    Valid { body, attempt }: Valid<ResolveTransaction>,
) -> Result<Effect> {
    let occurred_at = moment(app.clock.now(), body.occurred_at.as_deref())?;
    transactions::resolve(&app, actor, attempt, id, Resolution { status: body.status.into(), occurred_at }).await
}

/// An order's payments and refunds, newest first.
pub(super) async fn of_order(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    Parameters(paging): Parameters<Paging>,
    format: Format,
    uri: Uri,
) -> Result<Response> {
    if format != Format::Page {
        paging.refuse()?;
        return all(app, actor, id, format).await;
    }
    let place = Place::plain(&app, format!("transactions.list {id}"), &paging)?;
    let found = transactions::of_order(&app, &actor, id, &place.wanted(list::row)).await?;
    Ok(reply::page(&place.found(&app, found.as_ref().map(TransactionView::from), list::of_row), &uri))
}

async fn all(app: App, actor: Actor, id: OrderId, format: Format) -> Result<Response> {
    export::stream(format, move |before: Option<i64>| {
        let (app, actor) = (app.clone(), actor.clone());
        async move {
            let found = transactions::of_order(&app, &actor, id, &Wanted::some(before, ROWS_AT_ONCE)).await?;
            let rows: Vec<_> = found.entries.iter().map(TransactionView::from).collect();
            Ok((export::encode(format, &rows, Begins::after(before.as_ref()))?, found.next))
        }
    })
    .await
}

/// A payment or refund.
pub(super) async fn get(State(app): State<App>, actor: Actor, PathId(id): PathId<TransactionId>) -> Result<Response> {
    transactions::get(&app, &actor, id).await.map(reply::json)
}
