//! The secrets of endpoints, which are stored encrypted: only a server with the key file can sign.

use crate::{
    app::App,
    auth::WebhookSecret,
    domain::{
        id::{Identifier, WebhookId},
        time::Timestamp,
    },
    error::Result,
    store::webhooks::Webhook,
};

pub(super) fn seal(app: &App, id: WebhookId, secret: &WebhookSecret) -> Result<Vec<u8>> {
    app.webhook_sealer.seal(id.bytes(), secret.bytes())
}

/// The secrets that sign at `now`, the present one first; none if the key file is another one than when they were made.
/// Then nothing can be signed until the secret is rotated. A previous secret that cannot be read is left out.
pub(super) fn open(app: &App, webhook: &Webhook, now: Timestamp) -> Option<Vec<WebhookSecret>> {
    let open = |sealed: &[u8]| app.webhook_sealer.open(webhook.id.bytes(), sealed).map(WebhookSecret::from_bytes);
    let previous = webhook.previous_secret.as_ref().filter(|(_, until)| now < *until);
    let present = open(&webhook.secret)?;
    Some(std::iter::once(present).chain(previous.and_then(|(sealed, _)| open(sealed))).collect())
}
