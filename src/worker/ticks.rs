//! The rhythm of a task: ticks at an interval until the server stops.

use super::supervisor::Stop;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Ticks of one task.
pub(super) struct Ticks {
    interval: Interval,
    stop: Stop,
}

impl Ticks {
    /// Ticks every `period`, and at once for the first time. Work that takes longer than a period delays the next tick.
    pub(super) fn every(period: Duration, stop: Stop) -> Self {
        let mut interval = interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, stop }
    }

    /// Waits for the next tick. Returns false once the server stops.
    pub(super) async fn next(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.stop.requested() => false,
            _ = self.interval.tick() => true,
        }
    }
}
