//! Erases the personal data of orders that ended longer ago than `privacy.erase_after`, and goes on with erasures of
//! users that a crash has cut off.

use super::{report, supervisor::Stop, ticks::Ticks};
use crate::{app::App, service::erasure};
use std::time::Duration;

pub(super) const NAME: &str = "orders.erase";
pub(super) const UNFINISHED: &str = "users.erase";
/// The time between two looks at all orders.
const PERIOD: Duration = Duration::from_hours(6);

/// The time between two looks for unfinished erasures. The first is at the start.
const UNFINISHED_PERIOD: Duration = Duration::from_mins(1);

pub(super) async fn run(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        if app.store.has_lease() {
            report(NAME, erasure::due_orders(&app).await);
        }
    }
}

/// A stop interrupts this; the next start goes on with it.
pub(super) async fn finish(app: App, mut stop: Stop) {
    let mut ticks = Ticks::every(UNFINISHED_PERIOD, stop.clone());
    while ticks.next().await {
        tokio::select! {
            () = stop.requested() => return,
            ended = erasure::unfinished(&app) => report(UNFINISHED, ended),
        }
    }
}
