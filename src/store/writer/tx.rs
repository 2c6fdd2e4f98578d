//! The transaction of a job, and what its batch keeps in memory beside the rows: counters for numbers without gaps, the
//! ends of the hash chains, the changes of the rollups, and effects that follow the commit.

use super::{
    record::{Bound, Mark, Recorder},
    statements::Statements,
    told::Told,
};
use crate::{
    domain::{
        access::Fact,
        id::{Identifier, Ids, UserId},
        rollup::{ItemSale, Sale, StatusEntry, TaxSale},
        time::{Clock, Timestamp},
    },
    error::Result,
    store::{
        ReadTx,
        gauges::EVENT_TYPES,
        idempotency::SeenKeys,
        journal::entry::{Digest, Entry, Heads},
        options::Options,
        rollups::{COLUMNS, Changes, Length, RollupLog},
        schema::SCHEMA_VERSION,
        sql::store_error,
    },
};
use rusqlite::Connection;
use std::{
    cell::{Cell, RefCell},
    ops::Deref,
    sync::Arc,
};
use tokio::sync::oneshot;

/// The transaction of one job.
pub struct WriteTx<'b> {
    read: ReadTx<'b>,
    statements: &'b dyn Statements,
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
    pub(super) fn new(connection: &'b Connection, statements: &'b dyn Statements, batch: &'b Batch) -> Self {
        // The times of rows never decrease, even if the clock is set back.
        let mut counters = batch.counters.get();
        counters.time = counters.time.max(batch.clock.now());
        batch.counters.set(counters);
        Self { read: ReadTx { connection }, statements, batch, now: counters.time }
    }

    /// The time of this job; never earlier than that of the job before.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The same transaction at a later time, or at the latest time so far if that is later. For made-up histories,
    /// which write rows of many times in one transaction.
    #[must_use]
    pub fn later(&self, at: Timestamp) -> Self {
        let now = self.with_counters(|counters| {
            counters.time = counters.time.max(at);
            counters.time
        });
        Self { read: ReadTx { connection: self.read.connection }, statements: self.statements, batch: self.batch, now }
    }

    /// A new identifier.
    pub fn new_id<I: Identifier>(&self) -> I {
        self.batch.ids.next(self.now)
    }

    /// The source of identifiers.
    pub fn ids(&self) -> &Ids {
        &self.batch.ids
    }

    /// The number of the first order, according to the configuration.
    pub(in crate::store) fn first_number(&self) -> i64 {
        self.batch.first_number
    }

    /// Runs `effect` after this transaction is on disk and before it is answered; never if it is rolled back.
    pub fn after_commit(&self, effect: impl FnOnce() + Send + 'static) {
        self.batch.effects.borrow_mut().push(Box::new(effect));
    }

    /// Tells `fact` to whoever keeps it in memory, after this transaction is on disk; never if it is rolled back.
    pub fn tell(&self, fact: Fact) {
        self.batch.facts.borrow_mut().push(fact);
    }

    /// Writes a page without changing it, which shows whether the disk has room.
    pub(in crate::store) fn write_anything(&self) -> Result<()> {
        // The commit renews the mark of everything that changed a row.
        self.execute("UPDATE log_mark SET one = 1 WHERE one = 1", []).map(drop)
    }

    /// Has the write-ahead log emptied after this transaction, and tells `done` whether no reader prevented it.
    pub(in crate::store) fn empty_log(&self, done: oneshot::Sender<bool>) {
        self.batch.log_waiters.borrow_mut().push(done);
    }

    pub(in crate::store) fn execute(&self, sql: &str, params: impl Bound) -> Result<usize> {
        self.try_execute(sql, params).map_err(store_error)
    }

    pub(in crate::store) fn try_execute(&self, sql: &str, params: impl Bound) -> rusqlite::Result<usize> {
        match &self.batch.recorder {
            None => self.statements.execute(sql, params.params()),
            Some(recorder) => self.statements.execute_recorded(sql, params, recorder),
        }
    }

    /// `users.seq` of a user; none for an unknown one. Users who were asked for lately are known without a look-up.
    pub(in crate::store) fn user_seq(&self, user: UserId) -> Result<Option<i64>> {
        self.batch.changes.borrow_mut().user_seq(self.read.connection, user).map_err(store_error)
    }

    /// Adds `sale` to the rollups `times` times: 1 adds it, −1 takes it out.
    pub(in crate::store) fn count_sale(&self, sale: Sale, times: i64) {
        self.batch.changes.borrow_mut().count_sale(sale, times);
    }

    /// Adds an order by its statuses to the rollups `times` times.
    pub(in crate::store) fn count_status(&self, entry: StatusEntry, times: i64) {
        self.batch.changes.borrow_mut().count_status(entry, times);
    }

    /// Adds a line of an order to the rollups `times` times.
    pub(in crate::store) fn count_item(&self, sale: ItemSale, times: i64) {
        self.batch.changes.borrow_mut().count_item(sale, times);
    }

    /// Adds the net amount and tax at one rate to the rollups `times` times.
    pub(in crate::store) fn count_tax(&self, sale: TaxSale, times: i64) {
        self.batch.changes.borrow_mut().count_tax(sale, times);
    }

    /// The filters of idempotency keys. What is added to them stays if the job fails.
    pub(in crate::store) fn with_seen_keys<T>(&self, work: impl FnOnce(&mut SeenKeys) -> T) -> T {
        work(&mut self.batch.seen_keys.borrow_mut())
    }

    /// Changes the counters. The change is undone if the job fails.
    pub(in crate::store) fn with_counters<T>(&self, change: impl FnOnce(&mut Counters) -> T) -> T {
        let mut counters = self.batch.counters.get();
        let value = change(&mut counters);
        self.batch.counters.set(counters);
        value
    }
}

/// The last numbers given. Only the writer gives them, so they are read once at the start and kept in memory.
#[derive(Clone, Copy)]
pub(in crate::store) struct Counters {
    /// The latest time of any job.
    pub(in crate::store) time: Timestamp,
    /// The last `orders.seq`.
    pub(in crate::store) order: i64,
    /// The highest `orders.number`.
    pub(in crate::store) number: i64,
    /// The last `transactions.seq`.
    pub(in crate::store) transaction: i64,
    /// The last `events.seq`, and the hash of that event.
    pub(in crate::store) event: i64,
    pub(in crate::store) event_hash: [u8; 32],
    /// Events of each type since the start.
    pub(in crate::store) events_by_type: [u64; EVENT_TYPES],
    /// The last `audit.seq`, and the hash of that entry.
    pub(in crate::store) audit: i64,
    pub(in crate::store) audit_hash: [u8; 32],
    /// The last `personal.seq`.
    pub(in crate::store) personal: i64,
    /// The last `idempotency_keys.seq`.
    pub(in crate::store) key: i64,
    /// `users.seq` of the owner of the last inserted order that has one; 0 after a start.
    pub(in crate::store) owner: i64,
    pub(super) rollup_log: RollupLog,
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
            events_by_type: [0; EVENT_TYPES],
            event_hash: hash("SELECT hash FROM events ORDER BY seq DESC LIMIT 1")?,
            audit: last("SELECT max(seq) FROM audit")?,
            audit_hash: hash("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1")?,
            personal: last("SELECT max(seq) FROM personal")?,
            key: last("SELECT max(seq) FROM idempotency_keys")?,
            owner: 0,
            rollup_log: RollupLog::load(connection)?,
        })
    }
}

impl Counters {
    fn heads(&self) -> Heads {
        Heads {
            time: self.time.millis(),
            order: self.order,
            number: self.number,
            transaction: self.transaction,
            event: self.event,
            event_hash: self.event_hash,
            audit: self.audit,
            audit_hash: self.audit_hash,
            personal: self.personal,
            key: self.key,
        }
    }

    fn adopt(&mut self, heads: &Heads) {
        self.time = self.time.max(Timestamp::from_millis(heads.time));
        self.order = heads.order;
        self.number = heads.number;
        self.transaction = heads.transaction;
        self.event = heads.event;
        self.event_hash = heads.event_hash;
        self.audit = heads.audit;
        self.audit_hash = heads.audit_hash;
        self.personal = heads.personal;
        self.key = heads.key;
    }
}

pub(super) type Effect = Box<dyn FnOnce() + Send>;

/// The state that the jobs of one transaction share.
pub(super) struct Batch {
    clock: Clock,
    ids: Arc<Ids>,
    first_number: i64,
    counters: Cell<Counters>,
    changes: RefCell<Changes>,
    effects: RefCell<Vec<Effect>>,
    facts: RefCell<Vec<Fact>>,
    told: Arc<Told>,
    /// Records what jobs execute, for the journal if there is one.
    recorder: Option<Recorder>,
    seen_keys: RefCell<SeenKeys>,
    /// Those who wait for the write-ahead log to be emptied.
    log_waiters: RefCell<Vec<oneshot::Sender<bool>>>,
}

/// The state of a batch before a job.
pub(super) struct Savepoint {
    counters: Counters,
    changes: Length,
    effects: usize,
    facts: usize,
    recorded: Mark,
}

impl Batch {
    pub(super) fn new(options: &Options, counters: &Counters, told: Arc<Told>, recorder: Option<Recorder>) -> Self {
        Self {
            told,
            recorder,
            facts: RefCell::default(),
            clock: options.clock.clone(),
            ids: Arc::clone(&options.ids),
            first_number: options.first_number,
            counters: Cell::new(*counters),
            changes: RefCell::default(),
            effects: RefCell::default(),
            seen_keys: RefCell::default(),
            log_waiters: RefCell::default(),
        }
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters.get()
    }

    pub(super) fn savepoint(&self) -> Savepoint {
        Savepoint {
            counters: self.counters.get(),
            changes: self.changes.borrow().length(),
            effects: self.effects.borrow().len(),
            facts: self.facts.borrow().len(),
            recorded: self.recorder.as_ref().map(Recorder::mark).unwrap_or_default(),
        }
    }

    pub(super) fn roll_back_to(&self, savepoint: Savepoint) {
        self.counters.set(savepoint.counters);
        self.changes.borrow_mut().truncate(savepoint.changes);
        self.effects.borrow_mut().truncate(savepoint.effects);
        self.facts.borrow_mut().truncate(savepoint.facts);
        if let Some(recorder) = &self.recorder {
            recorder.roll_back_to(savepoint.recorded);
        }
    }

    /// Those who wait for the write-ahead log to be emptied.
    pub(super) fn take_log_waiters(&self) -> Vec<oneshot::Sender<bool>> {
        self.log_waiters.take()
    }

    /// Drops the changes and effects of all jobs, and sets the counters back to `counters`.
    pub(super) fn reset(&self, counters: &Counters) {
        let (changes, recorded) = (Length::default(), Mark::default());
        self.roll_back_to(Savepoint { counters: *counters, changes, effects: 0, facts: 0, recorded });
        self.changes.borrow_mut().forget_dimensions();
    }

    /// Appends the changes to the log of the rollups, and folds the log where that is due. Returns the row of the log.
    pub(super) fn log_changes(&self, connection: &Connection) -> Result<Option<[Vec<u8>; COLUMNS]>> {
        let mut counters = self.counters.get();
        let log = &mut counters.rollup_log;
        let row =
            log.append(connection, &mut self.changes.borrow_mut(), self.recorder.as_ref()).map_err(store_error)?;
        log.fold_due(connection)?;
        self.counters.set(counters);
        Ok(row)
    }

    /// Records what jobs execute; none without a journal.
    pub(super) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// What the jobs have written and told, as an entry of the journal; none if that is nothing.
    pub(super) fn entry(
        &self,
        seq: i64,
        writer: [u8; 16],
        before: Digest,
        rollups: Option<[Vec<u8>; COLUMNS]>,
    ) -> Option<Entry> {
        let (texts, statements) = self.recorder.as_ref()?.take();
        let facts = self.facts.borrow().clone();
        if statements.count == 0 && rollups.is_none() && facts.is_empty() {
            return None;
        }
        let heads = self.counters.get().heads();
        Some(Entry { seq, schema: SCHEMA_VERSION, writer, before, heads, texts, statements, rollups, facts })
    }

    /// Goes on after an entry of another process.
    pub(super) fn adopt(&self, connection: &Connection, heads: &Heads, rollup_log: RollupLog) -> Result<()> {
        let mut counters = self.counters.get();
        self.seen_keys.borrow_mut().follow(&ReadTx { connection }, counters.key)?;
        counters.adopt(heads);
        counters.rollup_log = rollup_log;
        self.counters.set(counters);
        Ok(())
    }

    /// Tells facts of another process.
    pub(super) fn learn(&self, facts: Vec<Fact>) {
        self.told.tell(facts);
    }

    /// Ends the batch after its commit, and returns the effects that follow when it is on disk.
    pub(super) fn committed(&self) -> Vec<Effect> {
        self.changes.borrow_mut().truncate(Length::default());
        let (told, facts) = (Arc::clone(&self.told), self.facts.take());
        let mut effects = self.effects.take();
        if !facts.is_empty() {
            effects.insert(0, Box::new(move || told.tell(facts)));
        }
        effects
    }
}
