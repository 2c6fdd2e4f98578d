//! Exactly once: a request that comes with a key takes effect in the transaction that keeps the key, and is answered
//! from there when it comes again.

use super::views::IdempotencyKeyView;
use crate::{
    app::App,
    auth::Actor,
    error::{Error, Result, problem},
    store::{
        ReadTx, WriteTx, events,
        idempotency::{self, Answer, Settled},
    },
};
use std::time::Duration;

/// What identifies a request that may come again.
#[derive(Clone, Debug)]
pub struct Attempt {
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
}

impl Reply {
    /// An answer of this status with this document.
    pub fn new(status: u16, body: String) -> Self {
        Self { status, body, location: None, etag: None, original_request_id: None }
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

/// What the body of an answer is kept as.
#[derive(Clone, Copy, Debug)]
pub enum Kept {
    /// The data of this event.
    InEvent(i64),
    /// A copy: the request made no event.
    ByItself,
}

impl Attempt {
    /// One that does not come again.
    pub fn once() -> Self {
        Self { key: None, fingerprint: [0; 32], method: String::new(), path: String::new(), retention: Duration::ZERO }
    }

    /// The answer of the request that took effect under this key, if there is one.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED` if that was another request.
    pub fn replay(&self, tx: &WriteTx<'_>, actor: &Actor) -> Result<Option<Reply>> {
        let Some(key) = &self.key else { return Ok(None) };
        let since = tx.now().minus(self.retention);
        let Some(settled) = idempotency::find(tx, &actor.principal.scope(), key, since)? else { return Ok(None) };
        if settled.fingerprint != self.fingerprint {
            return Err(Error::new(&problem::IDEMPOTENCY_KEY_REUSED));
        }
        let body = match settled.answer {
            Answer::Event(seq) => events::data(tx, seq)?,
            Answer::Body(body) => body,
        };
        Ok(Some(Reply {
            status: settled.status,
            body,
            location: settled.location,
            etag: settled.etag,
            original_request_id: Some(settled.request_id),
        }))
    }

    /// Keeps `reply` under the key, in the transaction of its effect, and hands it back.
    pub fn settle(&self, tx: &WriteTx<'_>, actor: &Actor, reply: Reply, kept: Kept) -> Result<Reply> {
        if let Some(key) = &self.key {
            let settled = Settled {
                fingerprint: self.fingerprint,
                method: self.method.clone(),
                path: self.path.clone(),
                status: reply.status,
                location: reply.location.clone(),
                etag: reply.etag,
                answer: match kept {
                    Kept::InEvent(seq) => Answer::Event(seq),
                    Kept::ByItself => Answer::Body(reply.body.clone()),
                },
                request_id: actor.request_id.to_string(),
                created_at: tx.now(),
            };
            idempotency::settle(tx, &actor.principal.scope(), key, &settled)?;
        }
        Ok(reply)
    }
}

/// What became of the caller's own `key`.
pub fn look_up(app: &App, actor: &Actor, key: &str) -> Result<IdempotencyKeyView> {
    let since = app.clock.now().minus(app.config.idempotency.retention);
    let find = |tx: &ReadTx<'_>| idempotency::find(tx, &actor.principal.scope(), key, since);
    let settled = app.store.read("idempotency_keys.get", find)?.ok_or_else(Error::absent)?;
    Ok(IdempotencyKeyView::new(key.to_owned(), settled))
}
