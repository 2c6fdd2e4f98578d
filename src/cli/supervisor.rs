//! What a supervisor such as systemd is told (`sd_notify`, `Type=notify`): that the server is ready, that it lives, that
//! it stops. Without one nothing is told to anybody, and nothing here can fail the server.

use sd_notify::NotifyState;
use std::convert::Infallible;

/// Says that the server answers.
pub(super) fn ready(address: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("Serving on {address}"))]);
}

/// Says that the server stops.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("Stopping")]);
}

/// Says again and again that the server lives, twice as often as is asked for (`WatchdogSec=`). That a task is given its
/// turn is all it says: a disk that is full or slow is no reason to start again.
pub(super) async fn live() -> Infallible {
    let asked = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero());
    let Some(patience) = asked else { return std::future::pending().await };
    let mut turns = tokio::time::interval(patience / 2);
    loop {
        turns.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(state) {
        tracing::warn!(error.cause = %e, "the supervisor cannot be told");
    }
}
