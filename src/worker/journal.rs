//! Puts snapshots into the journal, from which processes join, and lets it forget entries that are in them.

use super::{report, supervisor::Stop, ticks::Ticks};
use crate::app::App;
use std::time::Duration;

pub(super) const NAME: &str = "journal.keep_snapshot";
const PERIOD: Duration = Duration::from_mins(1);

pub(super) async fn run(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        if app.store.has_lease() {
            report(NAME, app.store.keep_snapshot().await.map(drop));
        }
    }
}
