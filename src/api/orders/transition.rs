//! The transitions of an order over HTTP, and erasing its personal data.

use crate::{
    api::input::{
        extract::{PathId, Valid},
        integer::Amount,
    },
    app::App,
    auth::Actor,
    domain::{id::OrderId, order::Transition},
    error::Result,
    service::{
        erasure,
        idempotency::Effect,
        orders::{self, Cancellation, ExpectedVersion, Refund, Target},
    },
};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

/// The body of an action without fields.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NoFields {}

/// Places, confirms or fulfils an order.
pub(in crate::api) async fn moves(
    transition: Transition,
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    version: ExpectedVersion,
    Valid { request, .. }: Valid<NoFields>,
) -> Result<Effect> {
    orders::transition(&app, actor, request, Target { id, version }, transition).await
}

/// Why an order is cancelled, and how much of the money that it holds is refunded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"reason": "Changed my mind", "refund": "full"}))]
pub(in crate::api) struct CancelOrder {
    /// The reason.
    #[schemars(length(max = 1000))]
    reason: Option<String>,
    /// `full`, `none` or minor units; required while the order holds money.
    refund: Option<RefundBody>,
}

/// How much is refunded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum RefundBody {
    Word(RefundWord),
    Amount(Amount),
}

/// Everything or nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RefundWord {
    Full,
    None,
}

/// Cancels an order.
pub(in crate::api) async fn cancel(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    version: ExpectedVersion,
    Valid { body, request }: Valid<CancelOrder>,
) -> Result<Effect> {
    let refund = body.refund.map(|refund| match refund {
        RefundBody::Word(RefundWord::Full) => Refund::Full,
        RefundBody::Word(RefundWord::None) => Refund::None,
        RefundBody::Amount(amount) => Refund::Amount(amount.get()),
    });
    orders::cancel(&app, actor, request, Target { id, version }, Cancellation { reason: body.reason, refund }).await
}

/// Erases the personal data of an order.
pub(in crate::api) async fn erase(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<OrderId>,
    Valid { request, .. }: Valid<NoFields>,
) -> Result<Effect> {
    erasure::order(&app, actor, request, id).await
}
