//! Notifies a supervisor such as systemd (`sd_notify`, `Type=notify`) that the server is ready, alive or stopping.
//! Without a supervisor nothing is sent. A failed notification is logged and changes nothing else.

use sd_notify::NotifyState;
use std::convert::Infallible;

pub(super) fn ready(address: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(&format!("Serving on {address}"))]);
}

pub(super) fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("Stopping")]);
}

/// Feeds the watchdog (`WatchdogSec=`) twice as often as it asks for. This proves only that tasks are scheduled: a full
/// or slow disk is no reason for a restart.
pub(super) async fn feed_watchdog() -> Infallible {
    let interval = sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero());
    let Some(interval) = interval else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(interval / 2);
    loop {
        ticks.tick().await;
        notify(&[NotifyState::Watchdog]);
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(state) {
        tracing::warn!(error.cause = %e, "the supervisor cannot be notified");
    }
}
