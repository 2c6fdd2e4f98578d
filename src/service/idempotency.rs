//! Idempotency: a request with a key takes effect once, and every repetition gets the same answer.
//!
//! The key is stored in the transaction of the effect. It stores what happened and the document that shows it, if there
//! is one, not an HTTP response: `api` derives the response from these, for the first answer as for each repetition.

use super::history::Recorded;
use crate::{
    app::App,
    auth::Actor,
    domain::{outcome::Outcome, personal::SplitDocument, time::Timestamp},
    error::{Error, Result, problem},
    store::{
        ReadTx, WriteTx,
        idempotency::{self, ResponseBody, StoredResponse},
    },
};
use std::time::Duration;

/// What identifies a request that may be sent again. `api` says what method and path are; here they are only stored.
#[derive(Clone, Debug)]
pub struct IdempotentRequest {
    /// None if the request has no key, so that it takes effect each time it is sent.
    pub key: Option<String>,
    /// SHA-256 of method, path and body, independent of key order and white space.
    pub fingerprint: [u8; 32],
    #[allow(missing_docs, reason = "see above")]
    pub method: String,
    #[allow(missing_docs, reason = "see above")]
    pub path: String,
    /// How long a key is kept. An older key counts as free, even while it is still stored.
    pub retention: Duration,
}

/// What a request did, and the document that shows the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What it did.
    pub outcome: Outcome,
    /// The resource as JSON; none if there is nothing to show.
    pub document: Option<SplitDocument>,
    /// The version of the order, if the document shows an order.
    pub version: Option<i64>,
    /// For a repeated request: the identifier of the request that took effect.
    pub original_request_id: Option<String>,
    /// The event that has the same document. The key then refers to the event in place of a copy.
    event: Option<i64>,
}

impl Effect {
    /// An effect that recorded no event.
    pub(super) fn new(outcome: Outcome, document: SplitDocument) -> Self {
        Self { document: Some(document), ..Self::without_document(outcome) }
    }

    /// An effect with nothing to show.
    pub(super) fn without_document(outcome: Outcome) -> Self {
        Self { outcome, document: None, version: None, original_request_id: None, event: None }
    }

    /// An effect that recorded `event` and answers with the event's document.
    pub(super) fn of_event(outcome: Outcome, event: Recorded) -> Self {
        Self { event: Some(event.seq), ..Self::new(outcome, event.document) }
    }

    /// The same with the order's version.
    #[must_use]
    pub(super) fn at_version(self, version: i64) -> Self {
        Self { version: Some(version), ..self }
    }
}

impl IdempotentRequest {
    /// A request without a key.
    pub fn once() -> Self {
        Self { key: None, fingerprint: [0; 32], method: String::new(), path: String::new(), retention: Duration::ZERO }
    }

    /// Runs `work` and stores its effect under the key; or returns the effect that is stored under the key already.
    ///
    /// # Errors
    /// Those of `work`; `IDEMPOTENCY_KEY_REUSED` if another request took effect under this key.
    pub fn run(&self, tx: &WriteTx<'_>, actor: &Actor, work: impl FnOnce() -> Result<Effect>) -> Result<Effect> {
        if let Some(effect) = self.replay(tx, actor)? {
            return Ok(effect);
        }
        let effect = work()?;
        self.remember(tx, actor, &effect)?;
        Ok(effect)
    }

    fn replay(&self, tx: &WriteTx<'_>, actor: &Actor) -> Result<Option<Effect>> {
        let Some(key) = &self.key else { return Ok(None) };
        let since = tx.now().minus(self.retention);
        let Some(stored) = idempotency::find(tx, &actor.principal.scope(), key, since)? else { return Ok(None) };
        if stored.fingerprint != self.fingerprint {
            return Err(Error::new(&problem::IDEMPOTENCY_KEY_REUSED));
        }
        let document = idempotency::body(tx, stored.body)?.map(SplitDocument::impersonal);
        Ok(Some(Effect {
            outcome: stored.outcome,
            document,
            version: stored.version,
            original_request_id: Some(stored.request_id),
            event: None,
        }))
    }

    fn remember(&self, tx: &WriteTx<'_>, actor: &Actor, effect: &Effect) -> Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let body = match (effect.event, &effect.document) {
            (Some(event), _) => ResponseBody::Event(event),
            (None, Some(document)) => {
                ResponseBody::Text(document.stored().to_owned(), document.row().map(|row| row.seq))
            }
            (None, None) => ResponseBody::Absent,
        };
        let response = StoredResponse {
            fingerprint: self.fingerprint,
            method: self.method.clone(),
            path: self.path.clone(),
            outcome: effect.outcome,
            version: effect.version,
            body,
            request_id: actor.request_id.to_string(),
            created_at: tx.now(),
        };
        idempotency::insert(tx, &actor.principal.scope(), key, &response)
    }
}

/// A key under which a request took effect.
#[derive(Clone, Debug)]
pub struct UsedKey {
    /// The method of the request.
    pub method: String,
    /// The path of the request.
    pub path: String,
    /// What the request did.
    pub outcome: Outcome,
    /// When the request took effect.
    pub created_at: Timestamp,
}

/// What the actor's request with this key did.
///
/// # Errors
/// `NOT_FOUND` if no request took effect under the key, or its retention is over.
pub async fn find(app: &App, actor: &Actor, key: &str) -> Result<UsedKey> {
    let since = app.clock.now().minus(app.config.idempotency.retention);
    let find = |tx: &ReadTx<'_>| idempotency::look_up(tx, &actor.principal.scope(), key, since);
    let stored = app.store.read("idempotency_keys.get", find).await?.ok_or_else(Error::absent)?;
    let StoredResponse { method, path, outcome, created_at, .. } = stored;
    Ok(UsedKey { method, path, outcome, created_at })
}
