//! What `orderd doctor` asks about a journal and the server that it is on. It changes nothing.

use super::{
    JournalOptions,
    postgres::{Extent, Process, ServerState, Session, Standby},
};
use std::time::{Duration, Instant};

/// What was found.
pub struct Examined {
    /// The server.
    pub server: ServerState,
    /// How long it takes to answer.
    pub round_trip: Duration,
    /// The standbys that are connected to it.
    pub standbys: Vec<Standby>,
    /// The journal; none if it is empty.
    pub journal: Option<(Extent, Vec<Process>)>,
}

/// The number of questions of which the quickest answer counts.
const QUESTIONS: usize = 8;

/// Asks the server of the journal.
///
/// # Errors
/// If it cannot be reached, or the role may not ask.
pub async fn examine(options: &JournalOptions) -> Result<Examined, String> {
    let asked = async {
        let session = Session::connect(&options.connect).await?;
        let mut round_trip = Duration::MAX;
        for _ in 0..QUESTIONS {
            let begun = Instant::now();
            session.now().await?;
            round_trip = round_trip.min(begun.elapsed());
        }
        let journal = if session.has_tables().await? && session.origin().await?.is_some() {
            Some((session.extent().await?, session.processes().await?))
        } else {
            None
        };
        let standbys = session.standbys().await?;
        // The time of the server is asked for last, so that it is as new as possible.
        Ok(Examined { server: session.server().await?, round_trip, standbys, journal })
    };
    asked.await.map_err(|fault: super::postgres::Fault| fault.to_string())
}
