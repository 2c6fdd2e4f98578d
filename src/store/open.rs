//! Opening a store: its file, its journal, and the threads that read and write.

use super::{
    Inner, Store,
    connection::Commits,
    gauges::Gauges,
    journal::{self, Current, Journal, JournalOptions, Position, Shared, SharedJournal, join},
    mark::{self, WatchedFile},
    open_error::OpenError,
    options::Options,
    owned_file::{OwnedFile, open_exclusively, open_with, unusable},
    readers::Readers,
    schema::{MIGRATIONS, SCHEMA_VERSION},
    sql::store_error,
    writer::{Told, Writer},
};
use crate::error::{Error, Result};
use rusqlite::Connection;
use std::{fmt, sync::Arc};

pub(super) fn open(options: &Options) -> Result<Store, OpenError> {
    let path = &options.path;
    let denied = |e: &dyn fmt::Display| OpenError::Denied(path.clone(), e.to_string());
    let head = options.journal.as_ref().map(|journal| join(path, journal, options.commits)).transpose()?;
    // What the journal has need not be synced here too.
    let commits = if head.is_some() { Commits::Written } else { options.commits };
    let owned = match &options.journal {
        None => open_exclusively(path, commits, MIGRATIONS),
        Some(options) => open_with(path, commits, SCHEMA_VERSION, |connection, from| {
            journal::upgrade(path, connection, from, options, MIGRATIONS)
        }),
    };
    let OwnedFile { lock, file, connection } = owned?;
    let started = options.journal.as_ref().map(|journal| start_journal(journal, &connection).map_err(|e| denied(&e)));
    let started = started.transpose()?;
    let journal = started.as_ref().zip(options.journal.clone()).map(|((_, shared), journal)| SharedJournal {
        current: Current::start(Arc::clone(&journal.connect)),
        shared: Arc::clone(shared),
        options: journal,
    });
    let gauges = Arc::new(Gauges::new(Readers::connections(options)));
    let readers = Readers::open(options, Arc::clone(&gauges)).map_err(|e| denied(&e))?;
    let unreadable = |e| OpenError::unreadable(path, &e);
    let watched = WatchedFile::new(Arc::clone(&file), &connection, mark::log::marks(path, &connection));
    let watched = watched.map_err(|e| unusable(path, &e))?;
    let told = Arc::<Told>::default();
    let writer = Writer::start(connection, watched, options, Arc::clone(&gauges), Arc::clone(&told), started);
    let writer = writer.map_err(unreadable)?;
    let store = Store(Arc::new(Inner {
        writer,
        readers,
        gauges,
        figures: Arc::default(),
        sold_items: Arc::default(),
        told,
        journal,
        path: path.clone(),
        _file: file,
        _lock: lock,
    }));
    if let Some(head) = head {
        catch_up(&store, head)?;
    }
    Ok(store)
}

fn start_journal(options: &JournalOptions, connection: &Connection) -> Result<(Journal, Arc<Shared>)> {
    let position = Position::load(connection).map_err(store_error)?;
    let position = position.ok_or_else(|| Error::internal("the file is not the copy of a journal"))?;
    let shared = Shared::at(&position);
    Journal::start(options.clone(), position, Arc::clone(&shared)).map(|journal| (journal, shared))
}

/// Waits until the writer has applied the entries up to number `head`.
fn catch_up(store: &Store, head: i64) -> Result<(), OpenError> {
    let Some(journal) = &store.0.journal else { return Ok(()) };
    store.0.writer.wake();
    while *journal.shared.applied.borrow() < head {
        if store.has_failed() {
            let path = store.path().to_path_buf();
            return Err(match journal.shared.diverged.get() {
                Some(why) => OpenError::Damaged(path, why.clone()),
                None => OpenError::Denied(path, "the journal could not be applied; the log says why".to_owned()),
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Ok(())
}
