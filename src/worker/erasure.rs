//! Erases the personal data of orders that ended longer ago than `privacy.erase_after`.

use super::{report, supervisor::Stop, ticks::Ticks};
use crate::{app::App, service::erasure};
use std::time::Duration;

pub(super) const NAME: &str = "orders.erase";
/// The time between two looks at all orders.
const PERIOD: Duration = Duration::from_hours(6);

pub(super) async fn run(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        report(NAME, erasure::due_orders(&app).await);
    }
}
