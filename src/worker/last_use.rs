//! Stores when API keys and browsers' sessions were last used, which requests only note in memory.

use super::{report, supervisor::Stop, ticks::Ticks};
use crate::{
    app::App,
    service::{api_keys, sessions},
};
use std::time::Duration;

pub(super) const API_KEYS: &str = "api_keys.keep_last_use";
pub(super) const SESSIONS: &str = "sessions.keep_last_use";
const PERIOD: Duration = Duration::from_secs(10);

pub(super) async fn keep_of_api_keys(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        report(API_KEYS, api_keys::keep_last_use(&app).await);
    }
    // Requests have ended by now, so no key is used any more.
    report(API_KEYS, api_keys::keep_last_use(&app).await);
}

pub(super) async fn keep_of_sessions(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        report(SESSIONS, sessions::keep_last_use(&app).await);
    }
    // Requests have ended by now, so no session is used any more.
    report(SESSIONS, sessions::keep_last_use(&app).await);
}
