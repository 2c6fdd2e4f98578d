//! Enabling and disabling endpoints: which events an endpoint misses. What happened before it was disabled is still sent
//! when it is enabled again, and what happens meanwhile is not.

use crate::{
    domain::webhook::{DisabledReason, WebhookStatus},
    store::webhooks::Webhook,
};

/// Enables an endpoint, where `last` is the last event so far.
pub(super) fn enable(webhook: &mut Webhook, last: i64) {
    let Some(paused_at) = webhook.paused_at.take() else { return };
    (webhook.status, webhook.disabled_reason, webhook.failing_since) = (WebhookStatus::Active, None, None);
    if webhook.cursor >= paused_at {
        (webhook.cursor, webhook.gap) = (last.max(webhook.cursor), None);
    } else {
        // One gap is kept. Where an earlier one has not been passed yet, it becomes longer.
        let from = webhook.gap.map_or(paused_at, |(from, to)| if to >= paused_at { from } else { paused_at });
        webhook.gap = Some((from, last));
    }
}

/// Disables an endpoint, where `last` is the last event so far.
pub(super) fn disable(webhook: &mut Webhook, last: i64, reason: Option<DisabledReason>) {
    if webhook.status == WebhookStatus::Active {
        (webhook.status, webhook.disabled_reason, webhook.paused_at) = (WebhookStatus::Disabled, reason, Some(last));
    }
}
