//! Exactly once: a request that comes with a key takes effect in the transaction that keeps the key, and is answered
//! from there when it comes again. An answer is kept as it was given, so this is the one place in which use cases know that
//! answers have statuses, places and tags.

use super::{history::Recorded, views::IdempotencyKeyView};
use crate::{
    app::App,
    auth::Actor,
    error::{Error, Result, problem},
    store::{
        ReadTx, WriteTx, events,
        idempotency::{self, ResponseBody, StoredResponse},
    },
};
use std::time::Duration;

/// What identifies a request that may come again.
#[derive(Clone, Debug)]
pub struct IdempotentRequest {
    /// The `Idempotency-Key`, if one was sent.
    pub key: Option<String>,
    /// SHA-256 of method, path and body, independent of key order and white space.
    pub fingerprint: [u8; 32],
    /// HTTP method.
    pub method: String,
    /// Path as it was requested.
    pub path: String,
    /// How long a key is kept. An older one counts as free even while it is still there.
    pub retention: Duration,
}

/// The answer to a request that changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status, 2xx.
    pub status: u16,
    /// A JSON document.
    pub body: String,
    /// Where what was made can be read.
    pub location: Option<String>,
    /// The version of the order.
    pub etag: Option<i64>,
    /// For an answer that is given again: the request that took effect.
    pub original_request_id: Option<String>,
    /// The event whose document this is, if it is one's: then a reference to that is kept in place of a copy.
    event: Option<i64>,
}

impl Reply {
    /// An answer of this status with this document.
    pub fn new(status: u16, body: String) -> Self {
        Self { status, body, location: None, etag: None, original_request_id: None, event: None }
    }

    /// An answer of this status with the document of this event.
    pub(super) fn of_event(status: u16, event: Recorded) -> Self {
        Self { event: Some(event.seq), ..Self::new(status, event.document) }
    }

    /// With the place where what was made can be read.
    #[must_use]
    pub fn at(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }

    /// With the version of the order.
    #[must_use]
    pub fn version(self, version: i64) -> Self {
        Self { etag: Some(version), ..self }
    }
}

impl IdempotentRequest {
    /// One that does not come again.
    pub fn once() -> Self {
        Self { key: None, fingerprint: [0; 32], method: String::new(), path: String::new(), retention: Duration::ZERO }
    }

    /// Takes `effect` and keeps its answer under the key, in the same transaction; or gives the answer of the request that
    /// took effect under this key before.
    ///
    /// # Errors
    /// Those of `effect`; `IDEMPOTENCY_KEY_REUSED` if what took effect under this key was another request.
    pub fn run(&self, tx: &WriteTx<'_>, actor: &Actor, effect: impl FnOnce() -> Result<Reply>) -> Result<Reply> {
        if let Some(reply) = self.replay(tx, actor)? {
            return Ok(reply);
        }
        let reply = effect()?;
        self.settle(tx, actor, &reply)?;
        Ok(reply)
    }

    fn replay(&self, tx: &WriteTx<'_>, actor: &Actor) -> Result<Option<Reply>> {
        let Some(key) = &self.key else { return Ok(None) };
        let since = tx.now().minus(self.retention);
        let Some(settled) = idempotency::find(tx, &actor.principal.scope(), key, since)? else { return Ok(None) };
        if settled.fingerprint != self.fingerprint {
            return Err(Error::new(&problem::IDEMPOTENCY_KEY_REUSED));
        }
        let body = match settled.body {
            ResponseBody::Event(seq) => events::data(tx, seq)?,
            ResponseBody::Text(body) => body,
        };
        Ok(Some(Reply {
            status: settled.status,
            body,
            location: settled.location,
            etag: settled.etag,
            original_request_id: Some(settled.request_id),
            event: None,
        }))
    }

    fn settle(&self, tx: &WriteTx<'_>, actor: &Actor, reply: &Reply) -> Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let settled = StoredResponse {
            fingerprint: self.fingerprint,
            method: self.method.clone(),
            path: self.path.clone(),
            status: reply.status,
            location: reply.location.clone(),
            etag: reply.etag,
            body: reply.event.map_or_else(|| ResponseBody::Text(reply.body.clone()), ResponseBody::Event),
            request_id: actor.request_id.to_string(),
            created_at: tx.now(),
        };
        idempotency::insert(tx, &actor.principal.scope(), key, &settled)
    }
}

/// What became of the caller's own `key`.
pub async fn look_up(app: &App, actor: &Actor, key: &str) -> Result<IdempotencyKeyView> {
    let since = app.clock.now().minus(app.config.idempotency.retention);
    let find = |tx: &ReadTx<'_>| idempotency::find(tx, &actor.principal.scope(), key, since);
    let settled = app.store.read("idempotency_keys.get", find).await?.ok_or_else(Error::absent)?;
    Ok(IdempotencyKeyView::new(key.to_owned(), settled))
}
