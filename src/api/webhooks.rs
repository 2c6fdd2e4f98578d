//! Webhook endpoints and their deliveries over HTTP.

use super::{
    input::{
        extract::{PathId, Segments, Valid},
        integer::SequenceNumber,
        list::ListRequest,
        parsed::Parsed,
    },
    orders::NoFields,
    output::list,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        event::EventType,
        id::{DeliveryId, Identifier, WebhookId},
        webhook::{DeliveryStatus, WebhookStatus},
    },
    error::{Error, Result},
    service::{
        orders::Change,
        views::{DeliveryView, NewWebhookView, ReplayView, WebhookView},
        webhooks::{self, ChangeWebhook, NewWebhook},
    },
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// An endpoint to deliver events to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "url": "https://example.com/orders", "events": ["order.created", "payment.recorded"], "description": "Stock"
}))]
pub(super) struct CreateWebhook {
    /// Where to send events: an `https` URL without user name, password and fragment.
    #[schemars(length(min = 1, max = 2048), extend("format" = "uri"))]
    url: String,
    /// The types of events to send; null or left out for all.
    #[schemars(length(min = 1, max = 100))]
    events: Option<Vec<Parsed<EventType>>>,
    /// A note for people.
    #[schemars(length(max = 255))]
    description: Option<String>,
    /// Whether to send events from the beginning; `active` if left out.
    status: Option<Parsed<WebhookStatus>>,
}

/// Creates an endpoint.
pub(super) async fn create(
    State(app): State<App>,
    actor: Actor,
    Valid { body, .. }: Valid<CreateWebhook>,
) -> Result<Response> {
    let new = NewWebhook {
        url: body.url,
        events: body.events.map(types),
        description: body.description,
        status: body.status.map_or(WebhookStatus::Active, |status| status.0),
    };
    let created = webhooks::create(&app, actor, new).await?;
    let location = [(header::LOCATION, format!("/v1/webhooks/{}", created.webhook.id.0))];
    Ok((StatusCode::CREATED, location, Json(created)).into_response())
}

/// The types, each once.
fn types(events: Vec<Parsed<EventType>>) -> Vec<EventType> {
    EventType::ALL.iter().copied().filter(|kind| events.iter().any(|event| event.0 == *kind)).collect()
}

/// Lists endpoints, newest first.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    ListRequest { options, .. }: ListRequest,
) -> Result<Response> {
    let find = |app, actor, page| async move { webhooks::list(&app, &actor, &page).await };
    list::answer(app, actor, options, "webhooks.list".to_owned(), find).await
}

/// Reads an endpoint.
pub(super) async fn get(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookView>> {
    webhooks::get(&app, &actor, id).await.map(Json)
}

/// A merge patch (RFC 7396): absent fields stay, null clears.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"status": "disabled"}))]
pub(super) struct PatchWebhook {
    /// Where to send events: an `https` URL without user name, password and fragment.
    #[schemars(length(min = 1, max = 2048), with = "String", extend("format" = "uri"))]
    url: Option<String>,
    /// The types of events to send; null for all.
    #[schemars(length(min = 1, max = 100), with = "Option<Vec<Parsed<EventType>>>")]
    events: Change<Vec<Parsed<EventType>>>,
    /// A note for people.
    #[schemars(length(max = 255), with = "Option<String>")]
    description: Change<String>,
    /// `disabled` stops sending; `active` begins again with the next event.
    #[schemars(with = "Parsed<WebhookStatus>")]
    status: Option<Parsed<WebhookStatus>>,
}

/// Changes an endpoint.
pub(super) async fn update(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<WebhookId>,
    Valid { body, .. }: Valid<PatchWebhook>,
) -> Result<Json<WebhookView>> {
    let change = ChangeWebhook {
        url: body.url,
        events: body.events.map(types),
        description: body.description,
        status: body.status.map(|status| status.0),
    };
    webhooks::change(&app, actor, id, change).await.map(Json)
}

/// Deletes an endpoint and its deliveries.
pub(super) async fn delete(State(app): State<App>, actor: Actor, PathId(id): PathId<WebhookId>) -> Result<StatusCode> {
    webhooks::delete(&app, actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives an endpoint a new secret.
pub(super) async fn rotate(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<WebhookId>,
    _: Valid<NoFields>,
) -> Result<Json<NewWebhookView>> {
    webhooks::rotate(&app, actor, id).await.map(Json)
}

/// Sends a ping.
pub(super) async fn ping(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<WebhookId>,
    _: Valid<NoFields>,
) -> Result<(StatusCode, Json<DeliveryView>)> {
    webhooks::ping(&app, actor, id).await.map(|delivery| (StatusCode::ACCEPTED, Json(delivery)))
}

/// What to send again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"after": 0}))]
pub(super) struct ReplayWebhook {
    /// The `seq` after which to begin.
    after: SequenceNumber,
}

/// Sends events again.
pub(super) async fn replay(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<WebhookId>,
    Valid { body, .. }: Valid<ReplayWebhook>,
) -> Result<(StatusCode, Json<ReplayView>)> {
    webhooks::replay(&app, actor, id, body.after.get()).await.map(|replay| (StatusCode::ACCEPTED, Json(replay)))
}

/// Which deliveries to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListDeliveries {
    /// Those with this status alone.
    status: Option<Parsed<DeliveryStatus>>,
}

/// Lists the deliveries to an endpoint, newest first.
pub(super) async fn deliveries(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<WebhookId>,
    ListRequest { filter, options }: ListRequest<ListDeliveries>,
) -> Result<Response> {
    let status = filter.status.map(|status| status.0);
    let binding = format!("webhooks.deliveries {id} {status:?}");
    let find = move |app, actor, page| async move { webhooks::list_deliveries(&app, &actor, id, status, &page).await };
    list::answer(app, actor, options, binding, find).await
}

/// Tries a delivery again.
pub(super) async fn retry(
    State(app): State<App>,
    actor: Actor,
    PathId(id): PathId<WebhookId>,
    Segments(segments): Segments,
    _: Valid<NoFields>,
) -> Result<(StatusCode, Json<DeliveryView>)> {
    let delivery = segments.get("delivery_id").and_then(|text| DeliveryId::parse(text));
    let delivery = delivery.ok_or_else(Error::absent)?;
    webhooks::retry(&app, actor, id, delivery).await.map(|delivery| (StatusCode::ACCEPTED, Json(delivery)))
}
