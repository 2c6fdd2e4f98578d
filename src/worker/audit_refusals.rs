//! Writes refusals that were noted in memory to the audit trail, and tells the other processes on a journal of failed
//! log-ins.

use super::{report, supervisor::Stop, ticks::Ticks};
use crate::{
    app::App,
    service::{audit, guesses},
};
use std::time::Duration;

pub(super) const NAME: &str = "audit.write_refusals";
const PERIOD: Duration = Duration::from_secs(1);

pub(super) async fn run(app: App, stop: Stop) {
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        report(NAME, audit::write_refusals(&app).await);
        report(NAME, guesses::share(&app).await);
    }
    // Requests have ended by now, so these are the last notes.
    report(NAME, audit::write_refusals(&app).await);
}
