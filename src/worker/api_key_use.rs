//! Stores when API keys were last used, which requests only note in memory.

use super::{report, supervisor::Stop, ticks::Ticks};
use crate::{app::App, service::api_keys};
use std::time::Duration;

pub(super) const NAME: &str = "api_keys.keep_last_use";
const PERIOD: Duration = Duration::from_secs(10);

pub(super) async fn run(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        report(NAME, api_keys::keep_last_use(&app).await);
    }
    // Requests have ended by now, so no key is used any more.
    report(NAME, api_keys::keep_last_use(&app).await);
}
