//! Loads the signing keys again when their file has changed.

use super::{report, supervisor::Stop, ticks::Ticks};
use crate::{app::App, service::signing_keys::Watch};
use std::time::Duration;

pub(super) const NAME: &str = "signing_keys.reload";
const PERIOD: Duration = Duration::from_secs(1);

pub(super) async fn run(app: App, stop: Stop) {
    let mut watch = Watch::default();
    let mut ticks = Ticks::every(PERIOD, stop);
    while ticks.next().await {
        report(NAME, watch.look(&app));
    }
}
