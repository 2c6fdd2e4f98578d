//! Caches the result of the readiness check. The check costs the writer a round trip, and anyone may ask at any rate.
//! The check itself is not here.

use crate::domain::time::{Clock, Timestamp};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a result is reused.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The result of a readiness check.
#[derive(Clone, Copy, Debug)]
pub struct Working {
    /// The writer answers.
    pub writer: bool,
    /// The database can be read and has the schema of this program.
    pub schema: bool,
    /// The disk has room.
    pub disk: bool,
}

/// The last result and its time.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Timestamp, Working)>>);

impl Readiness {
    /// The last result, or the result of `check` if the last one is older than [`MAX_AGE`]. Callers that arrive while a
    /// check runs wait for its result.
    pub async fn working(&self, clock: &Clock, check: impl Future<Output = Working>) -> Working {
        let mut last = self.0.lock().await;
        let now = clock.now();
        match *last {
            Some((at, found)) if at <= now && now < at.plus(MAX_AGE) => found,
            _ => {
                let found = check.await;
                *last = Some((clock.now(), found));
                found
            }
        }
    }
}
