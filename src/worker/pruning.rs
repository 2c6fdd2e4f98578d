//! Deletes what has expired: sessions and API keys in memory, sessions, idempotency keys and deliveries in the
//! database.

use super::{report, supervisor::Stop, ticks::Ticks};
use crate::{app::App, service::pruning};
use std::time::Duration;

pub(super) const ACCESS_FACTS: &str = "access.prune";
pub(super) const SESSIONS: &str = "sessions.prune";
pub(super) const SIGN_INS: &str = "oidc.prune";
pub(super) const IDEMPOTENCY_KEYS: &str = "idempotency.prune";
pub(super) const DELIVERIES: &str = "webhooks.prune";
const PERIOD: Duration = Duration::from_mins(1);

pub(super) async fn prune_access_facts(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        app.access.prune(app.clock.now());
    }
}

pub(super) async fn prune_sessions(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        if app.store.has_lease() {
            report(SESSIONS, pruning::prune_sessions(&app).await);
        }
    }
}

pub(super) async fn prune_sign_ins(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        if app.store.has_lease() {
            report(SIGN_INS, pruning::prune_sign_ins(&app).await);
        }
    }
}

pub(super) async fn prune_idempotency_keys(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        if app.store.has_lease() {
            report(IDEMPOTENCY_KEYS, pruning::prune_idempotency_keys(&app).await);
        }
    }
}

pub(super) async fn prune_deliveries(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        if app.store.has_lease() {
            report(DELIVERIES, pruning::prune_deliveries(&app).await);
        }
    }
}
