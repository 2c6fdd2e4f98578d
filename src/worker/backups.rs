//! Makes scheduled backups. A copy that is being made is given up when the server stops.

use super::{supervisor::Stop, ticks::Ticks};
use crate::{app::App, service::backups::Schedule};
use std::time::Duration;

pub(super) const NAME: &str = "backups.make";
/// How often the schedule is asked whether a backup is due.
const PERIOD: Duration = Duration::from_secs(1);

pub(super) async fn run(app: App, stop: Stop) {
    if app.config.backup.every.is_zero() {
        return;
    }
    let mut schedule = Schedule::resume(&app);
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        schedule.make_if_due(&app).await;
    }
}
