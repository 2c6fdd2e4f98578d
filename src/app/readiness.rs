//! Whether the parts of the service work, as whoever looked last has found it: looking costs the writer a round trip, and
//! anybody may ask, as often as they like. What the parts are is known to whoever looks.

use crate::domain::time::{Clock, Timestamp};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long what was found is told to others.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// What works.
#[derive(Clone, Copy, Debug)]
pub struct Working {
    /// The writer makes a round trip.
    pub writer: bool,
    /// The file can be read and has the schema of this program.
    pub schema: bool,
    /// The disk has room.
    pub disk: bool,
}

/// What was found last, and when.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Timestamp, Working)>>);

impl Readiness {
    /// What was found a moment ago or, after that, what `look` finds. Whoever asks meanwhile waits for the same.
    pub async fn working(&self, clock: &Clock, look: impl Future<Output = Working>) -> Working {
        let mut last = self.0.lock().await;
        let now = clock.now();
        match *last {
            Some((at, found)) if at <= now && now < at.plus(GOOD_FOR) => found,
            _ => {
                let found = look.await;
                *last = Some((clock.now(), found));
                found
            }
        }
    }
}
