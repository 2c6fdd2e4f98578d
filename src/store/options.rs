//! The options of a store.

use super::{connection::Commits, journal::JournalOptions};
use crate::domain::{id::Ids, time::Clock};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// The options of a store.
pub struct Options {
    /// The database file.
    pub path: PathBuf,
    /// How safe a commit has to be before it is answered.
    pub commits: Commits,
    /// The time limit of a request. A write may wait for half of it before it starts.
    pub request_timeout: Duration,
    /// The time limit of a scan.
    pub query_budget: Duration,
    /// The number of threads that may read at the same time.
    pub threads: usize,
    /// The number of the first order; later ones go on after the highest.
    pub first_number: i64,
    /// The source of time.
    pub clock: Clock,
    /// The source of identifiers.
    pub ids: Arc<Ids>,
    /// The journal that the file is a copy of. `None` if there is no journal.
    pub journal: Option<JournalOptions>,
}
