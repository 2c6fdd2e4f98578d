//! What a piece of work has in its hands while the writer runs it, and what the writer keeps beside the rows: counters
//! that give numbers without gaps, the heads of the hash chains, figures to be added once per transaction, and what is
//! to follow the commit.

use crate::{
    domain::{
        id::{Identifier, Ids},
        rollup::{ItemSale, Sale, StatusEntry},
        time::{Clock, Timestamp},
    },
    error::Result,
    store::{ReadTx, gauges::EVENT_TYPES, rollups, sql::failed},
};
use rusqlite::{Connection, Params};
use std::{
    cell::{Cell, RefCell},
    ops::Deref,
    sync::Arc,
};

/// The transaction of one piece of work.
pub struct WriteTx<'b> {
    read: ReadTx<'b>,
    batch: &'b Batch,
    now: Timestamp,
}

impl<'b> Deref for WriteTx<'b> {
    type Target = ReadTx<'b>;

    fn deref(&self) -> &Self::Target {
        &self.read
    }
}

impl<'b> WriteTx<'b> {
    pub(super) fn new(connection: &'b Connection, batch: &'b Batch) -> Self {
        // Rows are in the order of their times even if the clock goes back.
        let mut counters = batch.counters.get();
        counters.time = counters.time.max(batch.clock.now());
        batch.counters.set(counters);
        Self { read: ReadTx { connection }, batch, now: counters.time }
    }

    /// The instant of this piece of work; never earlier than that of the one before.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The same transaction at a later instant; never earlier than that of what was done before. For a past that is
    /// made up: work of many instants that shares a transaction.
    #[must_use]
    pub fn later(&self, at: Timestamp) -> Self {
        let now = self.with_counters(|counters| {
            counters.time = counters.time.max(at);
            counters.time
        });
        Self { read: ReadTx { connection: self.read.connection }, batch: self.batch, now }
    }

    /// A fresh identifier.
    pub fn new_id<I: Identifier>(&self) -> I {
        self.batch.ids.next(self.now)
    }

    /// Runs `effect` after this transaction is on disk, on the writer's thread; never if it is rolled back.
    pub fn after_commit(&self, effect: impl FnOnce() + Send + 'static) {
        self.batch.effects.borrow_mut().push(Box::new(effect));
    }

    /// Writes a page as it is, to see whether there is room.
    pub(in crate::store) fn write_anything(&self) -> Result<()> {
        let version: i64 =
            self.connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        self.connection.pragma_update(None, "user_version", version).map_err(failed)
    }

    pub(in crate::store) fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        self.try_execute(sql, params).map_err(failed)
    }

    pub(in crate::store) fn try_execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(params)
    }

    /// Counts `sale` in the rollups, `times` of it: 1 to put in, −1 to take out.
    pub(in crate::store) fn count_sale(&self, sale: Sale, times: i64) {
        self.batch.sales.borrow_mut().push((sale, times));
    }

    /// Counts an order where it stands, `times` of it.
    pub(in crate::store) fn count_standing(&self, status_entry: StatusEntry, times: i64) {
        self.batch.status_entries.borrow_mut().push((status_entry, times));
    }

    /// Counts a line among the items sold, `times` of it.
    pub(in crate::store) fn count_item(&self, sale: ItemSale, times: i64) {
        self.batch.items.borrow_mut().push((sale, times));
    }

    /// Changes the counters; they go back if the work fails.
    pub(in crate::store) fn with_counters<T>(&self, change: impl FnOnce(&mut Counters) -> T) -> T {
        let mut counters = self.batch.counters.get();
        let value = change(&mut counters);
        self.batch.counters.set(counters);
        value
    }
}

/// What numbers come next. Only the writer gives them, so they are kept in memory and read from the rows at start.
#[derive(Clone, Copy)]
pub(in crate::store) struct Counters {
    /// The latest instant given to any work.
    pub(in crate::store) time: Timestamp,
    /// The last `orders.seq`.
    pub(in crate::store) order: i64,
    /// The last `orders.number`.
    pub(in crate::store) number: i64,
    /// The last `transactions.seq`.
    pub(in crate::store) transaction: i64,
    /// The last `events.seq`, and the hash of that event.
    pub(in crate::store) event: i64,
    pub(in crate::store) event_hash: [u8; 32],
    /// Events of each kind since the start.
    pub(in crate::store) recorded: [u64; EVENT_TYPES],
    /// The last `audit.seq`, and the hash of that entry.
    pub(in crate::store) audit: i64,
    pub(in crate::store) audit_hash: [u8; 32],
    /// Where the log of the figures stands.
    pub(super) rollups: rollups::Log,
}

impl Counters {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let last =
            |sql: &str| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).map(|n| n.unwrap_or(0));
        let hash = |sql: &str| match connection.query_row(sql, [], |row| row.get::<_, [u8; 32]>(0)) {
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok([0; 32]),
            other => other,
        };
        let last_event =
            last("SELECT max(occurred_at) FROM (SELECT occurred_at FROM events ORDER BY seq DESC LIMIT 1)")?;
        let last_audit =
            last("SELECT max(occurred_at) FROM (SELECT occurred_at FROM audit ORDER BY seq DESC LIMIT 1)")?;
        Ok(Self {
            time: Timestamp::from_millis(last_event.max(last_audit)),
            order: last("SELECT max(seq) FROM orders")?,
            number: last("SELECT max(number) FROM orders WHERE number IS NOT NULL")?,
            transaction: last("SELECT max(seq) FROM transactions")?,
            event: last("SELECT max(seq) FROM events")?,
            recorded: [0; EVENT_TYPES],
            event_hash: hash("SELECT hash FROM events ORDER BY seq DESC LIMIT 1")?,
            audit: last("SELECT max(seq) FROM audit")?,
            audit_hash: hash("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1")?,
            rollups: rollups::Log::load(connection)?,
        })
    }
}

type Effect = Box<dyn FnOnce() + Send>;

/// What the pieces of work of one transaction have in common.
pub(super) struct Batch {
    clock: Clock,
    ids: Arc<Ids>,
    counters: Cell<Counters>,
    sales: RefCell<Vec<(Sale, i64)>>,
    status_entries: RefCell<Vec<(StatusEntry, i64)>>,
    items: RefCell<Vec<(ItemSale, i64)>>,
    effects: RefCell<Vec<Effect>>,
}

/// Where a batch stood before a piece of work.
pub(super) struct Mark {
    counters: Counters,
    sales: usize,
    status_entries: usize,
    items: usize,
    effects: usize,
}

impl Batch {
    pub(super) fn new(clock: Clock, ids: Arc<Ids>, counters: &Counters) -> Self {
        Self {
            clock,
            ids,
            counters: Cell::new(*counters),
            sales: RefCell::default(),
            status_entries: RefCell::default(),
            items: RefCell::default(),
            effects: RefCell::default(),
        }
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters.get()
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            counters: self.counters.get(),
            sales: self.sales.borrow().len(),
            status_entries: self.status_entries.borrow().len(),
            items: self.items.borrow().len(),
            effects: self.effects.borrow().len(),
        }
    }

    /// Back to where it stood.
    pub(super) fn rewind(&self, mark: Mark) {
        self.counters.set(mark.counters);
        self.sales.borrow_mut().truncate(mark.sales);
        self.status_entries.borrow_mut().truncate(mark.status_entries);
        self.items.borrow_mut().truncate(mark.items);
        self.effects.borrow_mut().truncate(mark.effects);
    }

    /// Forgets everything since `counters`.
    pub(super) fn undo(&self, counters: &Counters) {
        self.rewind(Mark { counters: *counters, sales: 0, status_entries: 0, items: 0, effects: 0 });
    }

    /// Writes what was counted to the log of the rollups, and adds that to them once it is long.
    pub(super) fn flush(&self, connection: &Connection) -> Result<()> {
        let mut counters = self.counters.get();
        let log = &mut counters.rollups;
        rollups::write(connection, log, &self.sales.borrow(), &self.status_entries.borrow(), &self.items.borrow())
            .map_err(failed)?;
        log.fold(connection)?;
        self.counters.set(counters);
        Ok(())
    }

    /// The transaction is on disk.
    pub(super) fn committed(&self) {
        self.sales.borrow_mut().clear();
        self.status_entries.borrow_mut().clear();
        self.items.borrow_mut().clear();
        self.effects.take().into_iter().for_each(|effect| effect());
    }
}
