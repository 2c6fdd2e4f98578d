//! Webhook endpoints: creating and changing them, their secrets, and what callers ask of their deliveries. How
//! deliveries are made is in [`delivery`], and the worker decides when.

pub mod delivery;
mod secrets;
mod status;

use super::{
    audit,
    orders::Change,
    page::{Page, PageRequest},
    views::{AsText, DeliveryView, NewWebhookView, ReplayView, WebhookView},
};
use crate::{
    app::App,
    auth::{Actor, WebhookSecret},
    domain::{
        access::Fact,
        event::EventType,
        id::{DeliveryId, WebhookId},
        permission::Permission,
        url::{Host, Scheme, Url},
        webhook::{DeliveryStatus, MOST_ENDPOINTS, PING, ROTATION_OVERLAP, WebhookStatus},
    },
    error::{Error, Fault, Field, Result, problem},
    outbound::is_public,
    store::{
        ReadTx, WriteTx,
        deliveries::{self, Delivery},
        webhooks::{self, Webhook},
    },
};
use serde_json::json;

/// Deliveries deleted in one transaction, so that no request waits long for the writer.
const BATCH: usize = 500;

/// An endpoint to create.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where to send events.
    pub url: String,
    /// The types to send; `None` for all.
    pub events: Option<Vec<EventType>>,
    /// A note for people.
    pub description: Option<String>,
    /// Whether to send events from the beginning.
    pub status: WebhookStatus,
}

/// A merge patch of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct ChangeWebhook {
    /// Where to send events.
    pub url: Option<String>,
    /// The types to send; cleared for all.
    pub events: Change<Vec<EventType>>,
    /// A note for people.
    pub description: Change<String>,
    /// Whether to send events.
    pub status: Option<WebhookStatus>,
}

/// Creates an endpoint. It gets the events that happen from now on.
///
/// # Errors
/// `VALIDATION_FAILED` for a URL that may not be used; `TOO_MANY_WEBHOOKS`.
pub async fn create(app: &App, actor: Actor, new: NewWebhook) -> Result<NewWebhookView> {
    actor.require(Permission::WebhooksWrite)?;
    let url = checked_url(app, &new.url)?;
    let secret = WebhookSecret::generate()?;
    let (shared, created) = (app.clone(), secret.clone());
    let webhook = app
        .store
        .write("webhooks.create", move |tx| {
            if usize::try_from(webhooks::count(tx)?).unwrap_or_default() >= MOST_ENDPOINTS {
                return Err(Error::new(&problem::TOO_MANY_WEBHOOKS));
            }
            let (id, last) = (tx.new_id(), webhooks::last_event(tx));
            let webhook = Webhook {
                id,
                url: url.to_string(),
                events: new.events.clone(),
                description: new.description.clone(),
                status: new.status,
                disabled_reason: None,
                secret: secrets::seal(&shared, id, &created)?,
                previous_secret: None,
                cursor: last,
                paused_at: (new.status == WebhookStatus::Disabled).then_some(last),
                gaps: vec![],
                failing_since: None,
                created_at: tx.now(),
                updated_at: tx.now(),
            };
            webhooks::put(tx, &webhook)?;
            let changes = json!({"host": url.authority(), "events": names(&webhook), "status": webhook.status.name()});
            audit::record(tx, &actor, "webhooks.create", Some(&id), &changes)?;
            announce(tx);
            Ok(webhook)
        })
        .await?;
    Ok(NewWebhookView { secret: secret.reveal().to_string(), webhook: view(webhook) })
}

/// Lists all endpoints, newest first.
pub async fn list(app: &App, actor: &Actor, request: &PageRequest<WebhookId>) -> Result<Page<WebhookView, WebhookId>> {
    actor.require(Permission::WebhooksWrite)?;
    let found = app.store.read("webhooks.list", |tx| {
        let found = webhooks::page(tx, request.after, request.limit_and_one())?;
        request.page(found, |webhook| webhook.id, || webhooks::count(tx))
    });
    Ok(found.await?.map(view))
}

/// Reads an endpoint.
pub async fn get(app: &App, actor: &Actor, id: WebhookId) -> Result<WebhookView> {
    actor.require(Permission::WebhooksWrite)?;
    app.store.read("webhooks.get", |tx| existing(tx, id)).await.map(view)
}

/// Changes an endpoint. Deliveries that are still pending go to the new URL.
pub async fn change(app: &App, actor: Actor, id: WebhookId, change: ChangeWebhook) -> Result<WebhookView> {
    actor.require(Permission::WebhooksWrite)?;
    let url = change.url.as_ref().map(|url| checked_url(app, url)).transpose()?;
    let changed = app.store.write("webhooks.update", move |tx| {
        let before = existing(tx, id)?;
        let mut after = Webhook { updated_at: tx.now(), ..before.clone() };
        if let Some(url) = &url {
            after.url = url.to_string();
        }
        change.events.apply(&mut after.events);
        change.description.apply(&mut after.description);
        match change.status {
            Some(WebhookStatus::Active) => status::enable(&mut after, webhooks::last_event(tx)),
            Some(WebhookStatus::Disabled) => status::disable(&mut after, webhooks::last_event(tx), None),
            None => {}
        }
        webhooks::put(tx, &after)?;
        let changes = json!({
            "host": url.as_ref().map(Url::authority), "events": names(&after), "status": after.status.name(),
            "status_before": before.status.name(),
        });
        audit::record(tx, &actor, "webhooks.update", Some(&id), &changes)?;
        announce(tx);
        Ok(after)
    });
    changed.await.map(view)
}

/// Deletes an endpoint and its deliveries. These may be many, so they are deleted batch after batch, the endpoint being
/// disabled from the first one on.
pub async fn delete(app: &App, actor: Actor, id: WebhookId) -> Result<()> {
    actor.require(Permission::WebhooksWrite)?;
    let disable = move |tx: &WriteTx<'_>| {
        let mut webhook = existing(tx, id)?;
        status::disable(&mut webhook, webhooks::last_event(tx), None);
        webhooks::put(tx, &webhook)?;
        announce(tx);
        deliveries::delete_some(tx, id, BATCH)
    };
    while app.store.write("webhooks.delete", disable).await? >= BATCH {}
    app.store
        .write("webhooks.delete", move |tx| {
            existing(tx, id)?;
            // What was being sent meanwhile has been recorded since.
            while deliveries::delete_some(tx, id, BATCH)? > 0 {}
            webhooks::delete(tx, id)?;
            audit::record(tx, &actor, "webhooks.delete", Some(&id), &json!({}))?;
            announce(tx);
            Ok(())
        })
        .await
}

/// Gives an endpoint a new secret. The previous one signs too for 24 hours.
pub async fn rotate(app: &App, actor: Actor, id: WebhookId) -> Result<NewWebhookView> {
    actor.require(Permission::WebhooksWrite)?;
    let secret = WebhookSecret::generate()?;
    let (shared, created) = (app.clone(), secret.clone());
    let rotated = app.store.write("webhooks.rotate", move |tx| {
        let before = existing(tx, id)?;
        let until = tx.now().plus(ROTATION_OVERLAP);
        let after = Webhook {
            secret: secrets::seal(&shared, id, &created)?,
            previous_secret: Some((before.secret.clone(), until)),
            updated_at: tx.now(),
            ..before
        };
        webhooks::put(tx, &after)?;
        let changes = json!({"previous_secret_until": until.to_string()});
        audit::record(tx, &actor, "webhooks.rotate", Some(&id), &changes)?;
        announce(tx);
        Ok(after)
    });
    let webhook = rotated.await?;
    Ok(NewWebhookView { secret: secret.reveal().to_string(), webhook: view(webhook) })
}

/// Sends a ping to an endpoint, once.
///
/// # Errors
/// `WEBHOOK_DISABLED`.
pub async fn ping(app: &App, actor: Actor, id: WebhookId) -> Result<DeliveryView> {
    actor.require(Permission::WebhooksWrite)?;
    let written = app.store.write("webhooks.ping", move |tx| {
        active(tx, id)?;
        let delivery = Delivery {
            seq: 0,
            id: tx.new_id(),
            webhook: id,
            event_seq: None,
            event_id: tx.new_id(),
            kind: PING.to_owned(),
            status: DeliveryStatus::Pending,
            attempts: "[]".to_owned(),
            tried: 0,
            next_attempt_at: Some(tx.now()),
            created_at: tx.now(),
        };
        deliveries::insert(tx, &delivery)?;
        let changes = json!({"delivery": delivery.id.to_string()});
        audit::record(tx, &actor, "webhooks.ping", Some(&id), &changes)?;
        announce(tx);
        Ok(delivery)
    });
    written.await.and_then(delivery_view)
}

/// Sends the events after number `after` again, those that happened before the endpoint was made or while it was
/// disabled included.
///
/// # Errors
/// `WEBHOOK_DISABLED`.
pub async fn replay(app: &App, actor: Actor, id: WebhookId, after: i64) -> Result<ReplayView> {
    actor.require(Permission::WebhooksWrite)?;
    app.store
        .write("webhooks.replay", move |tx| {
            let before = active(tx, id)?;
            let last = webhooks::last_event(tx);
            webhooks::put(tx, &Webhook { cursor: before.cursor.min(after), gaps: vec![], ..before })?;
            let changes = json!({"after": after, "last": last});
            audit::record(tx, &actor, "webhooks.replay", Some(&id), &changes)?;
            announce(tx);
            Ok(ReplayView { after, last })
        })
        .await
}

/// Lists the deliveries to an endpoint, newest first.
pub async fn list_deliveries(
    app: &App,
    actor: &Actor,
    id: WebhookId,
    status: Option<DeliveryStatus>,
    request: &PageRequest<i64>,
) -> Result<Page<DeliveryView, i64>> {
    actor.require(Permission::WebhooksWrite)?;
    let found = app.store.read("webhooks.deliveries", |tx| {
        existing(tx, id)?;
        let found = deliveries::page(tx, id, status, request.after, request.limit_and_one())?;
        request.page(found, |delivery| delivery.seq, || deliveries::count(tx, id, status))
    });
    found.await?.try_map(delivery_view)
}

/// Tries a delivery again at once, whatever became of it. Its schedule begins anew unless it is still pending.
///
/// # Errors
/// `WEBHOOK_DISABLED`.
pub async fn retry(app: &App, actor: Actor, id: WebhookId, delivery: DeliveryId) -> Result<DeliveryView> {
    actor.require(Permission::WebhooksWrite)?;
    let written = app.store.write("webhooks.retry", move |tx| {
        let found = deliveries::by_id(tx, delivery)?.filter(|found| found.webhook == id).ok_or_else(Error::absent)?;
        active(tx, id)?;
        let tried = if found.status == DeliveryStatus::Pending { found.tried } else { 0 };
        let status = DeliveryStatus::Pending;
        let again = Delivery { status, tried, next_attempt_at: Some(tx.now()), ..found };
        deliveries::update(tx, &again)?;
        let changes = json!({"delivery": delivery.to_string()});
        audit::record(tx, &actor, "webhooks.retry", Some(&id), &changes)?;
        announce(tx);
        Ok(again)
    });
    written.await.and_then(delivery_view)
}

fn existing(tx: &ReadTx<'_>, id: WebhookId) -> Result<Webhook> {
    webhooks::by_id(tx, id)?.ok_or_else(Error::absent)
}

fn active(tx: &ReadTx<'_>, id: WebhookId) -> Result<Webhook> {
    let webhook = existing(tx, id)?;
    if webhook.status == WebhookStatus::Active { Ok(webhook) } else { Err(Error::new(&problem::WEBHOOK_DISABLED)) }
}

/// Tells the worker, after the commit, that an endpoint or what is to be sent to it has changed.
fn announce(tx: &WriteTx<'_>) {
    tx.tell(Fact::WebhooksChanged);
}

/// Parses a URL that events may be sent to.
fn checked_url(app: &App, text: &str) -> Result<Url> {
    let fault = |code, detail: &str| Error::invalid(vec![Fault::new(Field::Url, code, detail)]);
    let url = Url::parse(text).map_err(|e| fault("invalid_format", &e.to_string()))?;
    if app.config.webhooks.allow_private {
        return Ok(url);
    }
    if url.scheme() != Scheme::Https {
        return Err(fault("invalid_format", "must begin with https://"));
    }
    match url.host() {
        Host::Address(address) if !is_public(*address) => {
            Err(fault("private_address", "must not be a private, loopback or otherwise special address"))
        }
        _ => Ok(url),
    }
}

fn names(webhook: &Webhook) -> Option<Vec<&'static str>> {
    webhook.events.as_ref().map(|kinds| kinds.iter().map(|kind| kind.name()).collect())
}

fn view(webhook: Webhook) -> WebhookView {
    WebhookView {
        id: AsText(webhook.id),
        url: webhook.url,
        events: webhook.events.map(|kinds| kinds.into_iter().map(AsText).collect()),
        description: webhook.description,
        status: AsText(webhook.status),
        disabled_reason: webhook.disabled_reason.map(AsText),
        failing_since: webhook.failing_since.map(AsText),
        previous_secret_until: webhook.previous_secret.map(|(_, until)| AsText(until)),
        created_at: AsText(webhook.created_at),
        updated_at: AsText(webhook.updated_at),
    }
}

fn delivery_view(delivery: Delivery) -> Result<DeliveryView> {
    Ok(DeliveryView {
        id: AsText(delivery.id),
        event_id: AsText(delivery.event_id),
        kind: delivery.kind,
        status: AsText(delivery.status),
        attempts: serde_json::from_str(&delivery.attempts).map_err(Error::internal)?,
        next_attempt_at: delivery.next_attempt_at.map(AsText),
    })
}
