//! Enabling and disabling endpoints: which events an endpoint misses. What happened before it was disabled is still
//! sent when it is enabled again, and what happens meanwhile is not.

use crate::{
    domain::webhook::{DisabledReason, WebhookStatus},
    store::webhooks::Webhook,
};

/// Enables an endpoint, where `last` is the last event so far.
pub(super) fn enable(webhook: &mut Webhook, last: i64) {
    let Some(paused_at) = webhook.paused_at.take() else { return };
    (webhook.status, webhook.disabled_reason, webhook.failing_since) = (WebhookStatus::Active, None, None);
    if webhook.cursor >= paused_at {
        (webhook.cursor, webhook.gaps) = (last.max(webhook.cursor), vec![]);
    } else {
        webhook.gaps.push((paused_at, last));
    }
}

/// Disables an endpoint, where `last` is the last event so far.
pub(super) fn disable(webhook: &mut Webhook, last: i64, reason: Option<DisabledReason>) {
    if webhook.status == WebhookStatus::Active {
        (webhook.status, webhook.disabled_reason, webhook.paused_at) = (WebhookStatus::Disabled, reason, Some(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        id::{Identifier, WebhookId},
        time::Timestamp,
    };

    #[test]
    fn all_that_happened_while_an_endpoint_was_disabled_is_passed_over() {
        let at = Timestamp::from_millis(0);
        let mut webhook = Webhook {
            id: WebhookId::from_bytes([1; 16]),
            url: String::new(),
            events: None,
            description: None,
            status: WebhookStatus::Active,
            disabled_reason: None,
            secret: vec![],
            previous_secret: None,
            cursor: 10,
            paused_at: None,
            gaps: vec![],
            failing_since: None,
            created_at: at,
            updated_at: at,
        };
        // Twice, before what happened earlier was sent.
        for (disabled_at, enabled_at) in [(20, 30), (40, 50)] {
            disable(&mut webhook, disabled_at, None);
            enable(&mut webhook, enabled_at);
        }
        let passed_over: Vec<_> = (11..=60).filter(|seq| webhook.passes_over(*seq)).collect();
        assert_eq!(passed_over, (21..=30).chain(41..=50).collect::<Vec<_>>());
        // Once all was sent, what happens meanwhile is passed over by the cursor alone.
        webhook.cursor = 60;
        disable(&mut webhook, 60, None);
        enable(&mut webhook, 70);
        assert_eq!((webhook.cursor, webhook.gaps), (70, vec![]));
    }
}
