//! Loads the signing keys again when their file has changed.

use super::{report, supervisor::Stop, ticks::Ticks};
use crate::{app::App, service::signing_keys::KeyFileWatcher};
use std::time::Duration;

pub(super) const NAME: &str = "signing_keys.reload";
const PERIOD: Duration = Duration::from_secs(1);

pub(super) async fn run(app: App, stop: Stop) {
    let mut watcher = KeyFileWatcher::default();
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        report(NAME, watcher.check(&app));
    }
}
